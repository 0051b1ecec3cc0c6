// The facts of every source of a plan, as a training set takes them: what lies there now, and all that can be read of the
// log; or, for an audit, the files that a record says were taken.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError } from '../../core/index.ts';
import { isValueRule, own, type SourceSpec } from '../../definitions/index.ts';
import { withReleases } from '../checks/with-releases.ts';
import { openCurrentFacts, type SourceFacts } from '../facts/current-facts.ts';
import { readableCoverage } from '../facts/log-rows.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { eventRange } from '../event-range-of-plan.ts';
import type { TrainingSetPlan } from '../plan.ts';
import { ALL_EVENTS, type EventRange } from '../sources/event-range.ts';
import { pinRecorded, pinSource } from '../sources/pin-source.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import type { SourceSnapshot } from './record.ts';

/** By the source's name, in the plan's order. */
export interface PlanFacts {
  readonly bySource: ReadonlyMap<string, SourceFacts>;
  readonly snapshots: readonly PinnedSnapshot[];
  close(): Promise<void>;
}

/**
 * `times`: from the first to the last row's of the spine. Of the sources' files those are read that can have a part in it; all
 * of them where a rule is about all rows.
 */
export function openPlanFacts(
  connection: DuckDBConnection,
  plan: TrainingSetPlan,
  times: EventRange,
  deps: OfflineDeps,
): Promise<PlanFacts> {
  const { sources } = deps.definitions.manifest;
  return openSourcesFacts(connection, sourcesOf(plan), deps, (source) =>
    (own(sources, source)?.expect ?? []).every(isValueRule) ? eventRange(plan, source, times) : ALL_EVENTS,
  );
}

/** The same of sources by their names. */
export async function openSourcesFacts(
  connection: DuckDBConnection,
  names: readonly string[],
  given: OfflineDeps,
  rangeOf: (source: string) => EventRange = () => ALL_EVENTS,
): Promise<PlanFacts> {
  const { sources } = given.definitions.manifest;
  const deps = await withReleases(
    given,
    names.flatMap((name) => own(sources, name) ?? []),
  );
  const coverage = readableCoverage(deps.log);
  // Met where it is awaited; a plan may have no source at all.
  coverage.catch(() => undefined);
  return openEach(names, deps, async (source, pinned) => ({
    ...(await openCurrentFacts(connection, source, deps, await coverage, rangeOf(source.name), (range) =>
      pinned(pinSource(source, range, deps)),
    )),
    releasedUpTo: deps.released?.last,
  }));
}

/** A plan's sources, each with the files that a record names. */
export interface RecordedSources {
  readonly bySource: ReadonlyMap<string, { readonly source: SourceSpec; readonly snapshot: PinnedSnapshot }>;
  readonly snapshots: readonly PinnedSnapshot[];
  close(): Promise<void>;
}

/** The same files as when the set was made; whether they changed is the caller's to see. */
export function pinRecordedSources(
  plan: TrainingSetPlan,
  deps: OfflineDeps,
  recorded: readonly SourceSnapshot[],
): Promise<RecordedSources> {
  return openEach(sourcesOf(plan), deps, async (source, pinned) => {
    const was = recorded.find(({ source: name }) => name === source.name);
    return { source, snapshot: await pinned(pinRecorded(source, was ?? { files: [] }, deps)) };
  });
}

const sourcesOf = ({ reads }: TrainingSetPlan): string[] => [...new Set(reads.map(({ view }) => view.source))];

async function openEach<T>(
  names: readonly string[],
  { definitions }: OfflineDeps,
  open: (source: SourceSpec, pinned: (snapshot: Promise<PinnedSnapshot>) => Promise<PinnedSnapshot>) => Promise<T>,
): Promise<{ bySource: ReadonlyMap<string, T>; snapshots: readonly PinnedSnapshot[]; close(): Promise<void> }> {
  const bySource = new Map<string, T>();
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
  const source = own(sources, name);
  if (source !== undefined) return source;
  throw new HeadraceError('HR_UNKNOWN_SOURCE', `there is no source "${name}" any more.`);
}
