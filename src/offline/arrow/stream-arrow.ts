// A Parquet file as an Arrow stream. Arrow's library is loaded by whoever does it: no other offline work needs it.

import type { Writable } from 'node:stream';
import type { DuckDb } from '../../storage/index.ts';

/**
 * Writes its rows to `out`, a record batch at a time and no faster than they are taken, and ends it. `instants` are names of
 * columns whose timestamps without a zone are ours, and so of UTC.
 */
export async function streamArrow(
  duckdb: DuckDb,
  path: string,
  out: Writable,
  instants: ReadonlySet<string>,
): Promise<void> {
  const { parquetToArrow } = await import('./parquet-to-arrow.ts');
  return parquetToArrow(duckdb, path, out, instants);
}
