// Tries again what others let fail for a while: brokers, stores, disks. Not for longer than one has patience.

import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, HeadraceError, type Logger } from '../core/index.ts';

export interface Patience {
  readonly limitMs: number;
  readonly logger: Logger;
  /** Ends the waiting: what fails then is thrown at once. */
  readonly signal: AbortSignal;
}

const FIRST_MS = 100;
const LONGEST_MS = 5000;

const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'HR_STREAM_UNAVAILABLE',
  'HR_ONLINE_UNAVAILABLE',
  'HR_STORAGE_UNAVAILABLE',
  'HR_STORAGE_FULL',
  'HR_STREAM_SCHEMA',
  'HR_DEAD_LETTERS',
  // The writer was given up; the next push opens another.
  'HR_CONFLICT',
]);

/** Throws what the last try threw. `what` is for the log. */
export async function retrying<T>(what: string, work: () => Promise<T>, patience: Patience): Promise<T> {
  const { limitMs, logger, signal } = patience;
  let sinceMs: number | undefined;
  for (let waitMs = FIRST_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_MS)) {
    try {
      const result = await work();
      if (sinceMs !== undefined) logger.info({ what }, 'it works again');
      return result;
    } catch (error) {
      if (!(error instanceof HeadraceError) || !PASSING.has(error.code) || signal.aborted) throw error;
      const now = performance.now();
      if (sinceMs === undefined) logger.warn({ what, code: error.code, reason: error.message }, 'trying again');
      sinceMs ??= now;
      const leftMs = sinceMs + limitMs - now;
      if (leftMs <= 0) throw error;
      // Half of it by chance, so that many that wait for one do not come all at once.
      const ownMs = Math.min(leftMs, waitMs * (0.5 + Math.random() / 2));
      await delay(ownMs, undefined, { signal }).catch(() => {});
    }
  }
}
