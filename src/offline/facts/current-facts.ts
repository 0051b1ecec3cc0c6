// A source's facts as they are now: what lies there, and all that can be read of the log, each event once.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { type Coverage, NOTHING_COVERED } from '../../online/index.ts';
import { hasRemovedEvents } from '../retention/retention-table.ts';
import type { EventRange } from '../sources/event-range.ts';
import { type PinnedSnapshot, readPinned } from '../sources/pinned-snapshot.ts';
import type { SourceDeps } from '../sources/source-deps.ts';
import type { Facts } from './facts.ts';
import { openFacts, openLogRows } from './open-facts.ts';
import { proposeBoundary } from './propose-boundary.ts';

export interface SourceFacts {
  readonly facts: Facts;
  readonly snapshot: PinnedSnapshot;
  /** As in FactsRequest. */
  readonly boundary: Micros;
  /** The last release that it goes by; undefined where no rule of the source sets rows apart. */
  readonly releasedUpTo?: number | undefined;
}

/**
 * `pin` is asked for the files' rows of a range; the snapshot is the caller's to close, also where this throws. Of the log
 * all events come, whenever they happened.
 */
export async function openCurrentFacts(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: SourceDeps,
  readable: Coverage,
  range: EventRange,
  pin: (range: EventRange) => Promise<PinnedSnapshot>,
): Promise<SourceFacts> {
  const isWhole = source.pushes === 'keep' || (await countsWhole(connection, source, deps, readable));
  // A boundary is put by the newest row of all.
  const snapshot = await pin(isWhole ? range : { from: range.from, to: Infinity });
  const boundary = isWhole ? wholeBoundary(source) : await boundaryOf(connection, source, deps, snapshot);
  const facts = await openFacts(connection, source, deps, { snapshot, boundary, coverage: readable });
  return { facts, snapshot, boundary };
}

// With `keep` both count whole, whatever there is.
const wholeBoundary = ({ pushes }: SourceSpec): Micros => (pushes === 'keep' ? -Infinity : Infinity);

// Where nothing was ever pushed, the files count whole: there is nothing that could make up for their newest rows. With
// `completeAfter` they don't online either.
async function countsWhole(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: SourceDeps,
  readable: Coverage,
): Promise<boolean> {
  if (source.completeAfterMicros !== undefined) return false;
  const { rows } = await openLogRows(connection, source, deps, NOTHING_COVERED, readable);
  return rows === 0 && !(await hasRemovedEvents(deps.database, source.name));
}

function boundaryOf(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: SourceDeps,
  snapshot: PinnedSnapshot,
): Promise<Micros> {
  return readPinned([snapshot], `source "${source.name}" cannot be read`, () =>
    proposeBoundary(connection, source, deps, snapshot, deps.clock.nowMicros()),
  );
}
