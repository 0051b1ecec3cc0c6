// CSV files as raw rows: read as text, cast to the declared types, and loaded once, as text has no row numbers.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError, typeName } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import { queryWork } from '../sources/source-errors.ts';
import { badValueSql } from '../sources/sql-text.ts';
import { pathValues, textSql } from '../sources/path-partitions.ts';
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
    const rows = `(SELECT *, row_number() OVER () AS __hr_row FROM ${csvFile(path, paths[i] as string)})`;
    for (const { name, type } of source.columns) {
      const column = quoteName(name);
      const bad = badValueSql(column, 'VARCHAR', type);
      if (bad === undefined) continue;
      const found = await connection
        .runAndReadAll(
          `SELECT ${column}, __hr_row, ${bad.why} FROM ${rows} WHERE ${column} IS NOT NULL AND ${bad.isBad} ORDER BY __hr_row LIMIT 1`,
        )
        // A column that lies in the file's path.
        .catch(() => undefined);
      const [value, row, why] = found?.getRows()[0] ?? [];
      if (value === undefined) continue;
      const is = typeName(type);
      const reason = String(why).startsWith(` is no ${is}`)
        ? ` and was declared ${is}${String(why).slice(` is no ${is}`.length)}`
        : String(why).replace(/^ is/, '');
      return new HeadraceError(
        'HR_SOURCE_UNREADABLE',
        `source "${source.name}": row ${String(row)}, column "${name}" of ${path} holds ${shown(String(value))},${reason}.`,
      );
    }
  }
  return undefined;
}

const shown = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);

/** How a file is compressed, by its name: what is read may be a handle of it, which has none. */
export function compressionOf(name: string): 'gzip' | 'zstd' | 'none' {
  return /\.gz$/i.test(name) ? 'gzip' : /\.zst$/i.test(name) ? 'zstd' : 'none';
}
