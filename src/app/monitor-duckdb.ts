// What a monitor may take beside requests: a small DuckDB of its own, one thread, and a priority below theirs.

import { join } from 'node:path';
import type { DuckDb } from '../storage/index.ts';
import type { App } from './open-app.ts';

export const MONITOR_NICENESS = 10;
export const MONITOR_THREADS = 1;
const MONITOR_MEMORY = '512MB';

/** Opened for a while: beside requests its memory is not held for nothing. */
export async function withMonitorDuckDb<T>(app: App, work: (duckdb: DuckDb) => Promise<T>): Promise<T> {
  const { openDuckDb } = await import('../storage/index.ts');
  const tempDirectory = join(app.config.values['offline.path'], 'spill');
  const duckdb = await openDuckDb({ memory: MONITOR_MEMORY, threads: MONITOR_THREADS, tempDirectory, leaveDead: true });
  try {
    return await work(duckdb);
  } finally {
    await duckdb.close();
  }
}
