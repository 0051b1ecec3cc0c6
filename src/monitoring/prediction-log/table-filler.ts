// Fills a table of a DuckDB connection with rows: by chunks of columns, which is many times as quick as row by row.

import { type DuckDBAppender, type DuckDBConnection, DuckDBDataChunk, type DuckDBValue } from '@duckdb/node-api';
import { CHUNK_ROWS } from '../../storage/index.ts';
import type { FlatColumn } from './log-columns.ts';

export interface TableFiller {
  readonly name: string;
  readonly rows: number;
  /** By column, each of `CHUNK_ROWS`; the next row's values belong at `next`. */
  readonly columns: readonly DuckDBValue[][];
  readonly next: number;
  /** The row at `next` is there. */
  added(): void;
  finish(): void;
  drop(): Promise<void>;
}

let tables = 0;

/** Makes a temporary table with the columns. */
export async function createFiller(connection: DuckDBConnection, of: readonly FlatColumn[]): Promise<TableFiller> {
  const name = `hr_log_${tables++}`;
  const types = of.map(({ type }) => type);
  const definition = of.map((column) => `${column.name} ${String(column.type)}`).join(', ');
  await connection.run(`CREATE TEMP TABLE ${name} (${definition})`);
  const appender: DuckDBAppender = await connection.createAppender(name);
  const chunk = DuckDBDataChunk.create(types, CHUNK_ROWS);
  const columns = types.map(() => new Array<DuckDBValue>(CHUNK_ROWS).fill(null));
  let next = 0;
  let rows = 0;
  let isDone = false;
  const put = (): void => {
    if (next === 0) return;
    chunk.reset();
    chunk.setColumns(next === CHUNK_ROWS ? columns : columns.map((column) => column.slice(0, next)));
    appender.appendDataChunk(chunk);
    rows += next;
    next = 0;
  };
  const finish = (): void => {
    if (isDone) return;
    put();
    appender.closeSync();
    isDone = true;
  };
  return {
    name,
    columns,
    get rows() {
      return rows + next;
    },
    get next() {
      return next;
    },
    added() {
      if (++next === CHUNK_ROWS) put();
    },
    finish,
    async drop() {
      if (!isDone) appender.closeSync();
      await connection.run(`DROP TABLE IF EXISTS ${name}`);
    },
  };
}

export function addRow(filler: TableFiller, row: readonly DuckDBValue[]): void {
  row.forEach((value, column) => ((filler.columns[column] as DuckDBValue[])[filler.next] = value));
  filler.added();
}
