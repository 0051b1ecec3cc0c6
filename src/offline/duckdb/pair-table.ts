// A temporary table of pairs of whole numbers, filled from a loop a chunk at a time.

import { DOUBLE, type DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { numbersOf } from './vector-values.ts';

/** DuckDB's vector size. */
const CHUNK_ROWS = 2048;

export interface PairTable {
  add(first: number, second: number): void;
  finish(): void;
}

/** Makes temp table `name` (first DOUBLE, second DOUBLE): exact for whole numbers below 2^53. */
export async function createPairTable(connection: DuckDBConnection, name: string): Promise<PairTable> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${name} (first DOUBLE, second DOUBLE)`);
  const appender = await connection.createAppender(name, null, 'temp');
  const firsts = new Float64Array(CHUNK_ROWS);
  const seconds = new Float64Array(CHUNK_ROWS);
  // Kept until the end: an appender that flushes ends a stream that its connection is reading, without a word.
  const chunks: DuckDBDataChunk[] = [];
  let filled = 0;
  const flush = () => {
    if (filled === 0) return;
    const chunk = DuckDBDataChunk.create([DOUBLE, DOUBLE], filled);
    for (const [column, values] of [firsts, seconds].entries()) {
      const vector = chunk.getColumnVector(column);
      numbersOf<Float64Array>(vector).set(values.subarray(0, filled));
      vector.flush();
    }
    chunks.push(chunk);
    filled = 0;
  };
  return {
    add(first, second) {
      firsts[filled] = first;
      seconds[filled] = second;
      if (++filled === CHUNK_ROWS) flush();
    },
    finish() {
      flush();
      for (const chunk of chunks.splice(0)) appender.appendDataChunk(chunk);
      appender.closeSync();
    },
  };
}
