// A temporary table of whole numbers that a loop found: appended in bulk, column by column.

import { DOUBLE, type DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { CHUNK_ROWS } from '../../storage/index.ts';
import { numbersOf } from './vector-values.ts';

export interface NumberTable {
  /** The first `size` of each column's numbers, in the order of the names. Not while a stream of the connection is read. */
  append(columns: readonly Float64Array[], size: number): void;
  close(): void;
}

/**
 * Makes a table of DOUBLE columns, exact for whole numbers below 2^53. An appender that flushes ends a stream of its own
 * connection without a word: for what is found while one is read there is the side table.
 */
export async function createNumberTable(
  connection: DuckDBConnection,
  name: string,
  columns: readonly string[],
): Promise<NumberTable> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${name} (${columns.map((column) => `${column} DOUBLE`).join(', ')})`,
  );
  const appender = await connection.createAppender(name, null, 'temp');
  const types = columns.map(() => DOUBLE);
  return {
    append(numbers, size) {
      for (let from = 0; from < size; from += CHUNK_ROWS) {
        const to = Math.min(from + CHUNK_ROWS, size);
        const chunk = DuckDBDataChunk.create(types, to - from);
        for (const [c, column] of numbers.entries()) {
          const vector = chunk.getColumnVector(c);
          numbersOf<Float64Array>(vector).set(column.subarray(from, to));
          vector.flush();
        }
        appender.appendDataChunk(chunk);
      }
      appender.flushSync();
    },
    close: () => appender.closeSync(),
  };
}
