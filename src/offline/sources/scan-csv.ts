// CSV files as a relation: read as text, cast to the declared types, and loaded once, as text has no row numbers.

import type { DuckDBConnection } from '@duckdb/node-api';
import { didYouMean, HeadraceError, typeName } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { RawScan } from './raw-scan.ts';
import { castColumn, columnsOf, NOT_PUSHED } from './scan-parquet.ts';
import { queryWork } from './source-errors.ts';
import { duckType, fractionInText, quoteName, quoteText } from './sql-text.ts';

/** An unquoted empty field is null; a quoted one is the empty string. */
const CSV_OPTIONS = "header = true, all_varchar = true, allow_quoted_nulls = false, nullstr = ''";

export async function scanCsv(
  connection: DuckDBConnection,
  source: SourceSpec,
  files: readonly string[],
): Promise<RawScan> {
  const scans: string[] = [];
  for (const file of files) {
    const from = `read_csv(${quoteText(file)}, ${CSV_OPTIONS})`;
    const found = await columnsOf(connection, source, from, file);
    const missing = source.columns.find(({ name }) => !found.has(name.toLowerCase()));
    if (missing !== undefined) {
      throw new HeadraceError(
        'HR_SOURCE_UNREADABLE',
        `source "${source.name}": ${file} has no column "${missing.name}".${didYouMean(missing.name, found.keys())} It has: ${[...found.keys()].join(', ')}.`,
      );
    }
    scans.push(`SELECT ${source.columns.map(({ name }) => quoteName(name)).join(', ')} FROM ${from}`);
  }
  const table = quoteName(`__hr_csv_${source.name}`);
  const text = `(${scans.join(' UNION ALL ')})`;
  const selected = source.columns.map(
    (column) => `${castColumn(source, column, 'VARCHAR')} AS ${quoteName(column.name)}`,
  );
  await queryWork(`source "${source.name}": ${files.join(', ')} cannot be read`, 'HR_SOURCE_UNREADABLE', async () => {
    try {
      await connection.run(
        `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT ${selected.join(', ')}, row_number() OVER () - 1 AS __hr_row, ${NOT_PUSHED} FROM ${text}`,
      );
    } catch (thrown) {
      throw (await findBadValue(connection, source, files)) ?? thrown;
    }
  });
  return { relation: table, files };
}

/** After a failed load: the first file and column that hold a value which isn't of the declared type. */
async function findBadValue(
  connection: DuckDBConnection,
  source: SourceSpec,
  files: readonly string[],
): Promise<HeadraceError | undefined> {
  for (const file of files) {
    for (const { name, type } of source.columns) {
      const column = quoteName(name);
      const isWhole = type.kind === 'int32' || type.kind === 'int64';
      const isBad = `TRY_CAST(${column} AS ${duckType(type)}) IS NULL${isWhole ? ` OR ${fractionInText(column)}` : ''}`;
      const bad = await connection
        .runAndReadAll(
          `SELECT ${column} FROM read_csv(${quoteText(file)}, ${CSV_OPTIONS}) WHERE ${column} IS NOT NULL AND (${isBad}) LIMIT 1`,
        )
        .catch(() => undefined);
      const value = bad?.getRows()[0]?.[0];
      if (value !== undefined) {
        return new HeadraceError(
          'HR_SOURCE_UNREADABLE',
          `source "${source.name}": column "${name}" of ${file} holds ${JSON.stringify(value)}, and was declared ${typeName(type)}.`,
        );
      }
    }
  }
  return undefined;
}
