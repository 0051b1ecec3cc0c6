// Compacts the log now and then from within a server, in a thread of its own, one run at a time.

import { Worker } from 'node:worker_threads';
import { type Logger, messageOf } from '../../core/index.ts';
import type { CompactReport } from './compact-report.ts';
import type { CompactionOrder } from './compaction-worker.ts';
import { KEEP_ALL, type KeepRules } from './keep-rules.ts';
import { listWriters } from './segments.ts';
import { mayBeDead } from './writer-lease.ts';

export interface CompactionSettings {
  /** Hours that are older are deleted; all are kept when left out. */
  readonly keep?: KeepRules;
  /** The oldest hours are deleted while the Parquet files are larger together. Default 50 GB. */
  readonly maxBytes?: number;
  /** Default a minute. */
  readonly everyMs?: number;
}

const MAX_BYTES = 50e9;
const EVERY_MS = 60_000;
/** So often even where no segment has ended: for hours that are too old, and lines of before. */
const RUNS_PER_FULL = 10;

/** Starts it; the function that comes back stops it, and resolves when a run under way has ended. */
export function startCompaction(directory: string, settings: CompactionSettings, logger: Logger): () => Promise<void> {
  const { everyMs = EVERY_MS, maxBytes = MAX_BYTES, keep = KEEP_ALL } = settings;
  const order: CompactionOrder = { directory, maxBytes, keep };
  let worker: Worker | undefined;
  let running: Promise<void> | undefined;
  let ticks = 0;

  const run = async (): Promise<void> => {
    const isFull = ticks++ % RUNS_PER_FULL === RUNS_PER_FULL - 1;
    try {
      if (!isFull && !(await hasWork(directory))) return;
      worker = new Worker(script, { workerData: order });
      worker.unref();
      const report = await resultOf(worker);
      if (report === undefined) return;
      if (report.damaged > 0) logger.error(report, 'parts of the prediction log cannot be read and were set apart');
      else if (report.segments + report.deleted > 0) logger.info(report, 'the prediction log was compacted');
    } catch (error) {
      logger.error({ err: error }, 'the prediction log could not be compacted; it is tried again');
    } finally {
      worker = undefined;
    }
  };
  const timer = setInterval(() => {
    running ??= run().finally(() => (running = undefined));
  }, everyMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    worker?.postMessage('stop');
    await running;
  };
}

async function hasWork(directory: string): Promise<boolean> {
  for (const { path, segments } of await listWriters(directory)) {
    if (segments.some(({ isEnded }) => isEnded) || (await mayBeDead(path))) return true;
  }
  return false;
}

// Undefined where it was told to stop.
function resultOf(worker: Worker): Promise<CompactReport | undefined> {
  return new Promise((resolve, reject) => {
    let report: CompactReport | undefined;
    worker.on('message', (told: { report?: CompactReport; error?: string }) => {
      report = told.report;
      if (told.error !== undefined) reject(new Error(told.error));
    });
    worker.on('error', (error) => reject(new Error(`its thread failed: ${messageOf(error)}`, { cause: error })));
    worker.on('exit', () => resolve(report));
  });
}

// The source tree runs as it is, the package as JavaScript beside its own copy.
const script = new URL(
  import.meta.url.endsWith('.ts') ? './compaction-worker.ts' : './compaction-worker.js',
  import.meta.url,
);
