// The sources that views which run together read: one snapshot of each, pinned once, so that all views over a source see
// the same files, as of the same moment.

import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { PinnedSnapshot } from '../facts/facts.ts';
import { pinSnapshot } from '../facts/pin-snapshot.ts';
import { proposeBoundary } from '../facts/propose-boundary.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import type { RunRequest } from './view-run.ts';

export interface RunSources {
  /** When they were opened. */
  readonly now: Micros;
  snapshotOf(source: SourceSpec): Promise<PinnedSnapshot>;
  /** What `proposeBoundary` says of the snapshot; `asOf` is the run's time. */
  boundaryOf(source: SourceSpec, asOf: Micros): Promise<Micros>;
  /** The view needs its source no more. Once none does, its files are let go of: only so many are held open at once. */
  leave(request: RunRequest): Promise<void>;
  close(): Promise<void>;
}

/** `requests`: of all views that may read them. */
export function openRunSources(deps: OfflineDeps, requests: readonly RunRequest[]): RunSources {
  const staying = new Set(requests);
  const sourceOf = ({ view }: RunRequest) => deps.definitions.manifest.views[view]?.source;
  const snapshots = new Map<string, Promise<PinnedSnapshot>>();
  const boundaries = new Map<string, Promise<Micros>>();
  const snapshotOf = (source: SourceSpec) =>
    once(snapshots, source.name, () => pinSnapshot(source, deps.definitions.directory));
  const release = async (name: string) => {
    const pinning = snapshots.get(name);
    snapshots.delete(name);
    const snapshot = await pinning?.catch(() => undefined);
    await snapshot?.close();
  };
  return {
    now: deps.clock.nowMicros(),
    snapshotOf,
    boundaryOf: (source, asOf) =>
      once(boundaries, `${asOf} ${source.name}`, async () => {
        const snapshot = await snapshotOf(source);
        const connection = await deps.duckdb.connect();
        try {
          return await proposeBoundary(connection, source, deps, snapshot, asOf);
        } finally {
          connection.closeSync();
        }
      }),
    async leave(request) {
      staying.delete(request);
      const name = sourceOf(request);
      if (name !== undefined && ![...staying].some((other) => sourceOf(other) === name)) await release(name);
    },
    async close() {
      for (const name of snapshots.keys()) await release(name);
    },
  };
}

function once<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}
