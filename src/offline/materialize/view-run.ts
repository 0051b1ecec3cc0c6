// A view's run as far as it goes before anyone is asked: what it reads, as of when, and what it would like.

import { floorTo, type Micros } from '../../core/index.ts';
import {
  createViewCodec,
  type LifetimeOf,
  type NewRun,
  type OnlineStore,
  type RowSchemas,
  type Runs,
  type ViewCodec,
} from '../../online/index.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { queryWork } from '../sources/source-errors.ts';
import { runFingerprint } from './run-fingerprint.ts';
import type { Waits } from './run-scope.ts';
import type { RunRequest } from './run-request.ts';
import type { RunSources } from './run-sources.ts';
import { versionFacts } from './version-facts.ts';

export interface RunDeps extends OfflineDeps {
  readonly store: OnlineStore;
  readonly runs: Runs;
  readonly schemas: RowSchemas;
  readonly lifetimeMs: LifetimeOf;
  readonly askTimeoutMs: number;
  readonly retryMs: readonly number[];
  readonly keepsProfiles: boolean;
}

export interface ViewRun {
  readonly deps: RunDeps;
  readonly request: RunRequest;
  readonly codec: ViewCodec;
  /** Its source's; whoever opened the sources closes it. */
  readonly snapshot: PinnedSnapshot;
  readonly asOf: Micros;
  readonly waits: Waits;
  /** The row that it would ask with. */
  readonly asks: NewRun;
}

export async function openViewRun(given: RunDeps, request: RunRequest, sources: RunSources): Promise<ViewRun> {
  const { definitions, view } = request.live;
  const deps = versionFacts(given, request);
  const codec = createViewCodec(definitions.manifest, view);
  const { freshness } = codec.view;
  const { now } = sources;
  const asOf = request.to ?? (freshness.kind === 'scheduled' ? floorTo(now, freshness.everyMicros) : now);
  // A scheduled view is read as at its last run: what is known later is a later run's to find.
  const waits = freshness.kind === 'scheduled' ? 'none' : request.to === undefined ? 'all' : 'log';
  const snapshot = await sources.snapshotOf(request);
  const asks: NewRun = {
    view,
    version: codec.version,
    proposed: await sources.boundaryOf(request, asOf, deps),
    asOf,
    carriesWaiting: waits === 'all',
    fingerprint: runFingerprint(codec, deps.released, snapshot.files),
    askedMicros: now,
  };
  return { deps, request, codec, snapshot, asOf, waits, asks };
}

/** A view's work; of an error in it, what was overwritten under the reader explains best why it could not be read. */
export function workOn<T>({ request, snapshot }: ViewRun, work: () => Promise<T>): Promise<T> {
  return explained(request, async () => {
    try {
      return await work();
    } catch (error) {
      await snapshot.verify();
      throw error;
    }
  });
}

/** Errors as those of the catalogue. */
export function explained<T>({ view }: RunRequest, work: () => Promise<T>): Promise<T> {
  return queryWork(`view "${view}" cannot be materialized`, 'HR_SOURCE_UNREADABLE', work);
}
