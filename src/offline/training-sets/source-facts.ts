// The facts of every source of a plan, as a training set takes them: what lies there now, and all that can be read of the
// log; or, for an audit, what a record says was taken.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError, type Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { type Coverage, NOTHING_COVERED } from '../../online/index.ts';
import type { Facts } from '../facts/facts.ts';
import { readableCoverage } from '../facts/log-rows.ts';
import { openFacts, openLogRows } from '../facts/open-facts.ts';
import { proposeBoundary } from '../facts/propose-boundary.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import type { TrainingSetPlan } from '../plan.ts';
import { hasRemovedEvents } from '../retention/retention-table.ts';
import { pinRecorded, pinSource } from '../sources/pin-source.ts';
import { type PinnedSnapshot, readPinned } from '../sources/pinned-snapshot.ts';
import type { SourceSnapshot } from './record.ts';

export interface SourceFacts {
  readonly facts: Facts;
  readonly snapshot: PinnedSnapshot;
  /** As in FactsRequest. */
  readonly boundary: Micros;
}

/** By the source's name, in the plan's order. */
export interface PlanFacts {
  readonly bySource: ReadonlyMap<string, SourceFacts>;
  readonly snapshots: readonly PinnedSnapshot[];
  close(): Promise<void>;
}

export function openPlanFacts(
  connection: DuckDBConnection,
  plan: TrainingSetPlan,
  deps: OfflineDeps,
): Promise<PlanFacts> {
  return openSourcesFacts(connection, sourcesOf(plan), deps);
}

/** The same of sources by their names. */
export function openSourcesFacts(
  connection: DuckDBConnection,
  names: readonly string[],
  deps: OfflineDeps,
): Promise<PlanFacts> {
  const coverage = readableCoverage(deps.log);
  // Met where it is awaited; a plan may have no source at all.
  coverage.catch(() => undefined);
  return openEach(names, deps, async (source, pinned) => {
    const snapshot = await pinned(pinSource(source, deps.definitions, deps));
    const readable = await coverage;
    const boundary = await boundaryNow(connection, source, deps, snapshot, readable);
    const facts = await openFacts(connection, source, deps, { snapshot, boundary, coverage: readable });
    return { facts, snapshot, boundary };
  });
}

/** The same files, boundary and positions as when the set was made; whether the files changed is the caller's to see. */
export function openRecordedFacts(
  connection: DuckDBConnection,
  plan: TrainingSetPlan,
  deps: OfflineDeps,
  recorded: readonly SourceSnapshot[],
): Promise<PlanFacts> {
  return openEach(sourcesOf(plan), deps, async (source, pinned) => {
    const was = recorded.find(({ source: name }) => name === source.name);
    const snapshot = await pinned(pinRecorded(source, was ?? { files: [] }, deps));
    const pushed = was?.pushed ?? null;
    const isLogAlone = was?.isLogAlone ?? pushed !== null;
    const boundary = was?.boundaryMicros ?? (isLogAlone || source.pushes === 'keep' ? -Infinity : Infinity);
    const cuts = new Map(pushed?.writers.map(({ writer, cut }) => [writer, cut]));
    const coverage = { floor: pushed?.floor ?? 0, cuts };
    return { facts: await openFacts(connection, source, deps, { snapshot, boundary, coverage }), snapshot, boundary };
  });
}

// Where nothing was ever pushed, the files count whole: there is nothing that could make up for their newest rows. With
// `completeAfter` they don't online either.
async function boundaryNow(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: OfflineDeps,
  snapshot: PinnedSnapshot,
  readable: Coverage,
): Promise<Micros> {
  const { rows } = await openLogRows(connection, source, deps, NOTHING_COVERED, readable);
  const isWhole = rows === 0 && source.completeAfterMicros === undefined;
  if (isWhole && !(await hasRemovedEvents(deps.database, source.name))) return Infinity;
  return readPinned([snapshot], `source "${source.name}" cannot be read`, () =>
    proposeBoundary(connection, source, deps, snapshot, deps.clock.nowMicros()),
  );
}

const sourcesOf = ({ reads }: TrainingSetPlan): string[] => [...new Set(reads.map(({ view }) => view.source))];

async function openEach(
  names: readonly string[],
  { definitions }: OfflineDeps,
  open: (
    source: SourceSpec,
    pinned: (snapshot: Promise<PinnedSnapshot>) => Promise<PinnedSnapshot>,
  ) => Promise<SourceFacts>,
): Promise<PlanFacts> {
  const bySource = new Map<string, SourceFacts>();
  const snapshots: PinnedSnapshot[] = [];
  const close = async () => {
    for (const snapshot of snapshots.splice(0)) await snapshot.close();
  };
  const pinned = async (pinning: Promise<PinnedSnapshot>) => {
    const snapshot = await pinning;
    snapshots.push(snapshot);
    return snapshot;
  };
  try {
    for (const name of names) bySource.set(name, await open(sourceOf(definitions.manifest.sources, name), pinned));
  } catch (error) {
    await close();
    throw error;
  }
  return { bySource, snapshots, close };
}

function sourceOf(sources: Readonly<Record<string, SourceSpec>>, name: string): SourceSpec {
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (source !== undefined) return source;
  throw new HeadraceError('HR_UNKNOWN_SOURCE', `there is no source "${name}" any more.`);
}
