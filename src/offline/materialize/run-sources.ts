// The sources that views which run together read: one snapshot of each, pinned once, so that all views over a source see
// the same files, as of the same moment.

import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { PinnedSnapshot } from '../facts/facts.ts';
import { pinSnapshot } from '../facts/pin-snapshot.ts';
import { proposeBoundary } from '../facts/propose-boundary.ts';
import type { OfflineDeps } from '../offline-deps.ts';

export interface RunSources {
  /** When they were opened. */
  readonly now: Micros;
  snapshotOf(source: SourceSpec): Promise<PinnedSnapshot>;
  /** What `proposeBoundary` says of the snapshot; `asOf` is the run's time. */
  boundaryOf(source: SourceSpec, asOf: Micros): Promise<Micros>;
  close(): Promise<void>;
}

export function openRunSources(deps: OfflineDeps): RunSources {
  const snapshots = new Map<string, Promise<PinnedSnapshot>>();
  const boundaries = new Map<string, Promise<Micros>>();
  const snapshotOf = (source: SourceSpec) =>
    once(snapshots, source.name, () => pinSnapshot(source, deps.definitions.directory));
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
    async close() {
      for (const pinning of snapshots.values()) {
        const snapshot = await pinning.catch(() => undefined);
        await snapshot?.close();
      }
    },
  };
}

function once<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}
