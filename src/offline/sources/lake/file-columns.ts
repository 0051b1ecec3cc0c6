// The columns that Parquet files have, as their footers say.

import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteText } from '../../../storage/index.ts';

export interface ParquetColumn {
  readonly name: string;
  /** As the table format that wrote it numbers its columns; null where nothing does. */
  readonly id: number | null;
}

/** Columns of each file, in the files' order; those within a column are left out. */
export async function fileColumns(
  connection: DuckDBConnection,
  paths: readonly string[],
): Promise<readonly (readonly ParquetColumn[])[]> {
  const read = await connection.runAndReadAll(
    `SELECT file_name, name, field_id, num_children FROM parquet_schema([${paths.map(quoteText).join(', ')}])`,
  );
  const columns = new Map<string, ParquetColumn[]>();
  // Depth first: of each that is open, the innermost last, how many are yet to come in it.
  const left: number[] = [];
  for (const [file, name, id, children] of read.getRows()) {
    const path = String(file);
    const own = columns.get(path);
    if (own === undefined) {
      // The root.
      columns.set(path, []);
      left.splice(0, left.length, Number(children));
      continue;
    }
    while (left.at(-1) === 0) left.pop();
    if (left.length === 1) own.push({ name: String(name), id: id === null ? null : Number(id) });
    left.push((left.pop() ?? 0) - 1);
    if (children !== null) left.push(Number(children));
  }
  return paths.map((path) => columns.get(path) ?? []);
}
