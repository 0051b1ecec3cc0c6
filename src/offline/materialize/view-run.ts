// A view's run as far as it goes before anyone is asked: what it reads, as of when, and what it would like.

import type { DuckDBConnection } from '@duckdb/node-api';
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
import type { PinnedSnapshot } from '../facts/facts.ts';
import { pinSnapshot } from '../facts/pin-snapshot.ts';
import { proposeBoundary } from '../facts/propose-boundary.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import type { Waits } from './run-scope.ts';

export interface RunDeps extends OfflineDeps {
  readonly store: OnlineStore;
  readonly runs: Runs;
  readonly schemas: RowSchemas;
  readonly lifetimeMs: LifetimeOf;
  readonly askTimeoutMs: number;
  readonly retryMs: readonly number[];
}

export interface RunRequest {
  readonly view: string;
  readonly incremental: boolean;
  readonly from: Micros | undefined;
  readonly to: Micros | undefined;
}

export interface ViewRun {
  readonly deps: RunDeps;
  readonly request: RunRequest;
  readonly codec: ViewCodec;
  readonly connection: DuckDBConnection;
  readonly snapshot: PinnedSnapshot;
  readonly asOf: Micros;
  readonly waits: Waits;
  /** The row that it would ask with. */
  readonly asks: NewRun;
  close(): Promise<void>;
}

export async function openViewRun(deps: RunDeps, request: RunRequest): Promise<ViewRun> {
  const { definitions, clock, duckdb } = deps;
  const codec = createViewCodec(definitions.manifest, request.view);
  const { freshness } = codec.view;
  const now = clock.nowMicros();
  const asOf = request.to ?? (freshness.kind === 'scheduled' ? floorTo(now, freshness.everyMicros) : now);
  // A scheduled view is read as at its last run: what is known later is a later run's to find.
  const waits = freshness.kind === 'scheduled' ? 'none' : request.to === undefined ? 'all' : 'log';
  const connection = await duckdb.connect();
  let snapshot: PinnedSnapshot | undefined;
  const close = async (): Promise<void> => {
    await snapshot?.close();
    connection.closeSync();
  };
  try {
    snapshot = await pinSnapshot(codec.source, definitions.directory);
    const asks: NewRun = {
      view: request.view,
      version: codec.version,
      snapshot: snapshot.files,
      proposed: await proposeBoundary(connection, codec.source, deps, snapshot, asOf),
      asOf,
      carriesWaiting: waits === 'all',
      fingerprint: codec.fingerprint,
      askedMicros: now,
    };
    return { deps, request, codec, connection, snapshot, asOf, waits, asks, close };
  } catch (error) {
    await close();
    throw error;
  }
}
