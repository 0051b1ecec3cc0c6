// CSV files as raw rows: read as text, cast to the declared types, and loaded once, as text has no row numbers.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError, typeName } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import { queryWork } from '../sources/source-errors.ts';
import { duckType } from '../sources/sql-text.ts';
import { pathValues, textSql } from '../sources/path-partitions.ts';
import { isNoWhole, wholeNumbersOf } from '../sources/whole-numbers.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import { castColumn, columnsOf, type FileRows, NOT_IN_LOG, ROWS_PER_FILE } from './raw-rows.ts';

/** Throws HR_SOURCE_UNREADABLE that names file and column, and a value that isn't of the column's type. */
export async function csvRows(
  connection: DuckDBConnection,
  source: SourceSpec,
  snapshot: PinnedSnapshot,
): Promise<FileRows> {
  const scans: string[] = [];
  for (const [i, { path }] of snapshot.files.entries()) {
    const from = csvFile(path, snapshot.paths[i] as string);
    const types = await columnsOf(connection, source, from, path);
    const inPath = pathValues(path);
    const selected = source.columns.map(({ name }) =>
      types.has(name.toLowerCase())
        ? quoteName(name)
        : `${textSql(inPath.get(name.toLowerCase()))} AS ${quoteName(name)}`,
    );
    const row = `CAST(${i * ROWS_PER_FILE} + row_number() OVER () - 1 AS BIGINT) AS __hr_row, CAST(${i} AS INTEGER) AS __hr_file`;
    scans.push(`SELECT ${[...selected, row].join(', ')} FROM ${from}`);
  }
  const table = quoteName(`__hr_csv_${source.name}`);
  const selected = source.columns.map((column) => castColumn(source, column, 'VARCHAR'));
  const names = snapshot.files.map(({ path }) => path).join(', ');
  await queryWork(`source "${source.name}": ${names} cannot be read`, 'HR_SOURCE_UNREADABLE', async () => {
    try {
      await connection.run(
        `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT ${[...selected, '__hr_row, __hr_file', NOT_IN_LOG].join(', ')} ` +
          `FROM (${scans.join(' UNION ALL ')})`,
      );
    } catch (thrown) {
      throw (await findBadValue(connection, source, snapshot)) ?? thrown;
    }
  });
  return {
    relation: (files) =>
      files.length === snapshot.files.length ? table : `(FROM ${table} WHERE __hr_file IN (${files.join(', ')}))`,
  };
}

/** An unquoted empty field is null; a quoted one is the empty string. The file's name tells its compression. */
function csvFile(name: string, readPath: string): string {
  return `read_csv(${quoteText(readPath)}, header = true, all_varchar = true, allow_quoted_nulls = false, nullstr = '', compression = '${compressionOf(name)}')`;
}

/** After a failed load: the first file and column that hold a value which isn't of the declared type. */
async function findBadValue(
  connection: DuckDBConnection,
  source: SourceSpec,
  { files, paths }: PinnedSnapshot,
): Promise<HeadraceError | undefined> {
  for (const [i, { path }] of files.entries()) {
    for (const { name, type } of source.columns) {
      const column = quoteName(name);
      const whole = type.kind === 'int32' || type.kind === 'int64' ? wholeNumbersOf('VARCHAR') : undefined;
      const isLost = whole?.hasLost(column) ?? 'false';
      const to = duckType(type);
      const isBad = whole === undefined ? `TRY_CAST(${column} AS ${to}) IS NULL` : isNoWhole(whole, column, to);
      const bad = await connection
        .runAndReadAll(
          `SELECT ${column}, ${isLost} FROM ${csvFile(path, paths[i] as string)} WHERE ${column} IS NOT NULL AND (${isBad}) LIMIT 1`,
        )
        .catch(() => undefined);
      const [value, hasLost] = bad?.getRows()[0] ?? [];
      if (value !== undefined) {
        return new HeadraceError(
          'HR_SOURCE_UNREADABLE',
          `source "${source.name}": column "${name}" of ${path} holds ${JSON.stringify(value)}, ${hasLost === true && whole !== undefined ? whole.lost : `and was declared ${typeName(type)}`}.`,
        );
      }
    }
  }
  return undefined;
}

/** How a file is compressed, by its name: what is read may be a handle of it, which has none. */
export function compressionOf(name: string): 'gzip' | 'zstd' | 'none' {
  return /\.gz$/i.test(name) ? 'gzip' : /\.zst$/i.test(name) ? 'zstd' : 'none';
}
