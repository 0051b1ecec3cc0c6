// Parquet files as a relation. Row numbers come from the files themselves, so nothing is copied.

import type { DuckDBConnection } from '@duckdb/node-api';
import { didYouMean, HeadraceError, typeName } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { type RawScan, ROWS_PER_FILE } from './raw-scan.ts';
import { queryWork } from './source-errors.ts';
import { castSql, quoteName, quoteText } from './sql-text.ts';

/** The columns of a pushed row, in a file's row. */
export const NOT_PUSHED = 'CAST(NULL AS BIGINT) AS __hr_arrival, CAST(NULL AS BIGINT) AS __hr_arrived';

export async function scanParquet(
  connection: DuckDBConnection,
  source: SourceSpec,
  files: readonly string[],
): Promise<RawScan> {
  let columns: Map<string, string> | undefined;
  for (const file of files) {
    const found = await columnsOf(connection, source, `read_parquet(${quoteText(file)})`, file);
    const missing = source.columns.find(({ name }) => !found.has(name.toLowerCase()));
    if (missing !== undefined) {
      throw new HeadraceError(
        'HR_SOURCE_UNREADABLE',
        `source "${source.name}": ${file} has no column "${missing.name}".${didYouMean(missing.name, found.keys())} It has: ${[...found.keys()].join(', ')}.`,
      );
    }
    columns ??= found;
  }
  const list = `[${files.map(quoteText).join(', ')}]`;
  const from = `read_parquet(${list}, union_by_name = true)`;
  const unified =
    files.length === 1 ? (columns as Map<string, string>) : await columnsOf(connection, source, from, files.join(', '));
  const selected = source.columns.map((column) => {
    const type = unified.get(column.name.toLowerCase()) as string;
    return `${castColumn(source, column, type)} AS ${quoteName(column.name)}`;
  });
  const isShadowed = unified.has('file_row_number') || unified.has('file_index');
  const row = isShadowed
    ? 'row_number() OVER () - 1'
    : `CAST(file_index AS BIGINT) * ${ROWS_PER_FILE} + file_row_number`;
  return { relation: `(SELECT ${selected.join(', ')}, ${row} AS __hr_row, ${NOT_PUSHED} FROM ${from})`, files };
}

/** Column types of a relation by lower-case name, as DuckDB compares names. */
export async function columnsOf(
  connection: DuckDBConnection,
  source: SourceSpec,
  from: string,
  what: string,
): Promise<Map<string, string>> {
  const described = await queryWork(`source "${source.name}": ${what} cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
    connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`),
  );
  return new Map(described.getRows().map(([name, type]) => [String(name).toLowerCase(), String(type)]));
}

/** The SQL of a declared column; HR_SOURCE_UNREADABLE when the file's type cannot become the declared one. */
export function castColumn(source: SourceSpec, column: SourceSpec['columns'][number], from: string): string {
  const cast = castSql(quoteName(column.name), from, column.type);
  if (cast === undefined) {
    throw new HeadraceError(
      'HR_SOURCE_UNREADABLE',
      `source "${source.name}": column "${column.name}" is ${from} in the files, and was declared ${typeName(column.type)}. ` +
        'Declare it as it is, or derive another column from it.',
    );
  }
  return cast;
}
