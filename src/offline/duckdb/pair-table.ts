// A temporary table of pairs of whole numbers, filled from a loop over a stream of the same connection.

import { DOUBLE, type DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import type { DuckDb } from '../../storage/index.ts';
import { openSideTable } from './side-table.ts';
import { numbersOf } from './vector-values.ts';

/** DuckDB's vector size. */
const CHUNK_ROWS = 2048;

export interface PairTable {
  add(first: number, second: number): void;
  finish(): Promise<void>;
  /** Instead of `finish`, or after it. */
  discard(): Promise<void>;
}

/** Makes temp table `name` (first DOUBLE, second DOUBLE): exact for whole numbers below 2^53. */
export async function createPairTable(duckdb: DuckDb, connection: DuckDBConnection, name: string): Promise<PairTable> {
  const side = await openSideTable(duckdb, connection, name, 'first DOUBLE, second DOUBLE');
  const pairs = [new Float64Array(CHUNK_ROWS), new Float64Array(CHUNK_ROWS)] as const;
  let filled = 0;
  const flush = (): void => {
    if (filled === 0) return;
    const chunk = DuckDBDataChunk.create([DOUBLE, DOUBLE], filled);
    for (const column of [0, 1] as const) {
      const vector = chunk.getColumnVector(column);
      numbersOf<Float64Array>(vector).set(pairs[column].subarray(0, filled));
      vector.flush();
    }
    side.append(chunk);
    filled = 0;
  };
  return {
    add(first, second) {
      if (filled === CHUNK_ROWS) flush();
      pairs[0][filled] = first;
      pairs[1][filled] = second;
      filled++;
    },
    async finish() {
      flush();
      await side.finish();
    },
    discard: side.discard,
  };
}
