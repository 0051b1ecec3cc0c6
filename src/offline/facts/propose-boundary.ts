// The event time up to which a snapshot is taken to be complete: past it the log counts.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { NOTHING_COVERED } from '../../online/index.ts';
import { quoteName } from '../../storage/index.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import type { FactsDeps } from './facts.ts';
import { openFacts } from './open-facts.ts';

/**
 * The snapshot's newest event time that is not past `now`, so that a nightly file never hides what was pushed since, nor
 * does a row from a wrong clock; less the source's `completeAfter`. −Infinity where the log counts from the beginning: with
 * `pushes: 'keep'`, and where the snapshot has no such row. Quick where Parquet's statistics tell.
 */
export async function proposeBoundary(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: FactsDeps,
  snapshot: PinnedSnapshot | null,
  now: Micros,
): Promise<Micros> {
  if (source.pushes === 'keep' || snapshot === null || snapshot.files.length === 0) return -Infinity;
  const facts = await openFacts(connection, source, deps, { snapshot, boundary: Infinity, coverage: NOTHING_COVERED });
  const newest = async (where: string): Promise<Micros | null> => {
    const sql = `SELECT CAST(epoch_us(max(${quoteName(source.eventTime)})) AS DOUBLE) FROM ${facts.allFileRows}${where}`;
    const read = await connection.runAndReadAll(sql);
    return read.getRows()[0]?.[0] as number | null;
  };
  // Null may mean that the greatest is no time at all, such as infinity.
  const all = await newest('');
  const found = all !== null && all <= now ? all : await newest(` WHERE __hr_event <= ${now}`);
  return found === null ? -Infinity : found - (source.completeAfterMicros ?? 0);
}
