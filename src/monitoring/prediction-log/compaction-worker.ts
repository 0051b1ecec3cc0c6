// The thread that compacts: at a lower priority where the system has one for threads, with a small DuckDB of its own, and in
// parts, so that whoever serves comes first.

import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, systemClock } from '../../core/index.ts';
import { type DuckDb, openDuckDb } from '../../storage/index.ts';
import { compactPredictionLog } from './compact.ts';
import type { KeepRules } from './keep-rules.ts';
import { temporaryFolder } from './segments.ts';

export interface CompactionOrder {
  readonly directory: string;
  readonly keep: KeepRules;
  readonly maxBytes: number;
}

const MEMORY = '512MB';
const NICENESS = 10;
const REST_MS = 5;

class Stopped extends Error {}

// Only a thread of ours has orders; whoever imports this file has none.
if (parentPort !== null) await work(parentPort, workerData as CompactionOrder);

async function work(port: NonNullable<typeof parentPort>, order: CompactionOrder): Promise<void> {
  let isStopped = false;
  port.on('message', () => (isStopped = true));
  lowerPriority();
  let opened: DuckDb | undefined;
  const duckdb = async (): Promise<DuckDb> =>
    (opened ??= await openDuckDb({ memory: MEMORY, threads: 1, tempDirectory: temporaryFolder(order.directory) }));
  const pause = async (): Promise<void> => {
    await delay(REST_MS);
    if (isStopped) throw new Stopped();
  };
  try {
    port.postMessage({ report: await compactPredictionLog({ ...order, duckdb, clock: systemClock, pause }) });
  } catch (error) {
    if (!(error instanceof Stopped)) port.postMessage({ error: messageOf(error) });
  } finally {
    await opened?.close();
    port.close();
  }
}

// Linux has a priority for each thread, by its id.
function lowerPriority(): void {
  try {
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').pop()), NICENESS);
  } catch {
    // Elsewhere it runs as the others do.
  }
}
