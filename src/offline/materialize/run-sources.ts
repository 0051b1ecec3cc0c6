// The sources that views which run together read: one snapshot of each, pinned once, so that all views over a source see
// the same files, as of the same moment.

import { canonicalJson, type Micros } from '../../core/index.ts';
import { type SourceSpec, sourceOfView } from '../../definitions/index.ts';
import type { FactsDeps } from '../facts/facts.ts';
import { proposeBoundary } from '../facts/propose-boundary.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { ALL_EVENTS } from '../sources/event-range.ts';
import { pinSource } from '../sources/pin-source.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import type { RunRequest } from './run-request.ts';

export interface RunSources {
  /** When they were opened. */
  readonly now: Micros;
  /** Of the source of the request's view, as the version has it. */
  snapshotOf(request: RunRequest): Promise<PinnedSnapshot>;
  /** What `proposeBoundary` says of the snapshot; `asOf` is the run's time. */
  boundaryOf(request: RunRequest, asOf: Micros, facts: FactsDeps): Promise<Micros>;
  /** The view needs its source no more. Once none does, its files are let go of: only so many are held open at once. */
  leave(request: RunRequest): Promise<void>;
  close(): Promise<void>;
}

/** `requests`: of all views that may read them. */
export function openRunSources(deps: OfflineDeps, requests: readonly RunRequest[]): RunSources {
  const staying = new Set(requests);
  const snapshots = new Map<string, Promise<PinnedSnapshot>>();
  const boundaries = new Map<string, Promise<Micros>>();
  const snapshotOf = (request: RunRequest) =>
    once(snapshots, idOf(request), () =>
      pinSource(sourceOf(request), ALL_EVENTS, { ...deps, definitions: request.live.definitions }),
    );
  const release = async (id: string) => {
    const pinning = snapshots.get(id);
    snapshots.delete(id);
    const snapshot = await pinning?.catch(() => undefined);
    await snapshot?.close();
  };
  return {
    now: deps.clock.nowMicros(),
    snapshotOf,
    boundaryOf: (request, asOf, facts) =>
      once(boundaries, `${asOf} ${idOf(request)}`, async () => {
        const snapshot = await snapshotOf(request);
        const connection = await deps.duckdb.connect();
        try {
          return await proposeBoundary(connection, sourceOf(request), facts, snapshot, asOf);
        } finally {
          connection.closeSync();
        }
      }),
    async leave(request) {
      staying.delete(request);
      const id = idOf(request);
      if (![...staying].some((other) => idOf(other) === id)) await release(id);
    },
    async close() {
      for (const id of snapshots.keys()) await release(id);
    },
  };
}

function sourceOf({ live }: RunRequest): SourceSpec {
  return sourceOfView(live.definitions, live.view);
}

// Versions of a view may see its source otherwise: each form of it is read as one source.
function idOf(request: RunRequest): string {
  return canonicalJson(sourceOf(request));
}

function once<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}
