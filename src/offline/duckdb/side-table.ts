// A temporary table that is filled while a stream of the same connection is being read. An appender that flushes ends a
// stream of its own connection without a word, so the rows go through a second one; DuckDB holds and spills them.

import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { type DuckDb, quoteName } from '../../storage/index.ts';

export interface SideTable {
  /** In the order of the table's columns; the chunk may be used again afterwards. */
  append(chunk: DuckDBDataChunk): void;
  /** Makes the table, once the stream is at its end. */
  finish(): Promise<void>;
  /** Lets go of what was appended; harmless after `finish`. */
  discard(): Promise<void>;
}

let tables = 0;

/** `columns` is SQL, such as `a DOUBLE, b VARCHAR`. A table of that name is replaced. */
export async function openSideTable(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  name: string,
  columns: string,
): Promise<SideTable> {
  const side = `__hr_side_${process.pid}_${++tables}`;
  const writer = await duckdb.connect();
  await writer.run(`CREATE TABLE ${quoteName(side)} (${columns})`);
  const appender = await writer.createAppender(side);
  let isOpen = true;
  const discard = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    appender.closeSync();
    await writer.run(`DROP TABLE IF EXISTS ${quoteName(side)}`);
    writer.closeSync();
  };
  return {
    append: (chunk) => appender.appendDataChunk(chunk),
    async finish() {
      try {
        appender.flushSync();
        // The connection's own: it goes when the connection does.
        await connection.run(`CREATE OR REPLACE TEMP TABLE ${quoteName(name)} AS FROM ${quoteName(side)}`);
      } finally {
        await discard();
      }
    },
    discard,
  };
}
