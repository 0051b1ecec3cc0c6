// A temporary table of pairs of whole numbers, filled from a loop over a stream of the same connection.

import { DOUBLE, type DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { numbersOf } from './vector-values.ts';

/** DuckDB's vector size. */
const CHUNK_ROWS = 2048;

export interface PairTable {
  add(first: number, second: number): void;
  finish(): Promise<void>;
}

/**
 * Makes temp table `name` (first DOUBLE, second DOUBLE): exact for whole numbers below 2^53. Pairs are kept (16 bytes
 * each) until `finish`, as an appender that flushes would end the stream of its connection without a word.
 */
export async function createPairTable(connection: DuckDBConnection, name: string): Promise<PairTable> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${name} (first DOUBLE, second DOUBLE)`);
  const full: Float64Array[] = [];
  let pairs = new Float64Array(2 * CHUNK_ROWS);
  let filled = 0;
  return {
    add(first, second) {
      if (filled === CHUNK_ROWS) {
        full.push(pairs);
        pairs = new Float64Array(2 * CHUNK_ROWS);
        filled = 0;
      }
      pairs[filled] = first;
      pairs[CHUNK_ROWS + filled] = second;
      filled++;
    },
    async finish() {
      const appender = await connection.createAppender(name, null, 'temp');
      for (const kept of full.splice(0)) appender.appendDataChunk(chunkOf(kept, CHUNK_ROWS));
      if (filled > 0) appender.appendDataChunk(chunkOf(pairs, filled));
      appender.closeSync();
    },
  };
}

function chunkOf(pairs: Float64Array, rows: number): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create([DOUBLE, DOUBLE], rows);
  for (const column of [0, 1]) {
    const vector = chunk.getColumnVector(column);
    numbersOf<Float64Array>(vector).set(pairs.subarray(column * CHUNK_ROWS, column * CHUNK_ROWS + rows));
    vector.flush();
  }
  return chunk;
}
