// What offline needs beside a world of pushes: a DuckDB and a folder of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeadraceError, silentLogger, silentProgress } from '../../src/core/index.ts';
import type { Definitions } from '../../src/definitions/index.ts';
import type { EventLog } from '../../src/events/index.ts';
import { type MaterializeDeps, materialize } from '../../src/offline/index.ts';
import { openDuckDb } from '../../src/storage/index.ts';
import type { IngestionWorld } from './ingestion-world.ts';
import type { OfflineWorld } from './offline-world.ts';

export interface OfflineBeside extends Pick<OfflineWorld, 'directory' | 'connection' | 'close'> {
  readonly deps: MaterializeDeps;
}

/** Reads the pushes of `log`. */
export async function openOfflineBeside(
  { database, store, clock }: IngestionWorld,
  log: EventLog,
  definitions: Definitions,
): Promise<OfflineBeside> {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-offline-'));
  const duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), threads: 1 });
  const connection = await duckdb.connect();
  const deps: MaterializeDeps = {
    definitions,
    database,
    duckdb,
    logger: silentLogger,
    clock,
    progress: silentProgress,
    dataDirectory: directory,
    log,
    store,
  };
  return {
    directory,
    connection,
    deps,
    async close() {
      connection.closeSync();
      await duckdb.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Materializes all that the logs of a world hold; how the run of its view ended, or the code of its error. */
export async function materializeAll(world: IngestionWorld, definitions: Definitions): Promise<string | undefined> {
  const { log, close } = await world.open({ definitions: () => definitions, machine: 'materializes' });
  const offline = await openOfflineBeside(world, log, definitions);
  try {
    const { views } = await materialize(offline.deps, { incremental: false, dryRun: false });
    return views[0]?.state;
  } catch (error) {
    if (!(error instanceof HeadraceError)) throw error;
    return error.code;
  } finally {
    await offline.close();
    await close();
  }
}
