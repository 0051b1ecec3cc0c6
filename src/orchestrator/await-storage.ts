// Storage that does not answer is waited for: what tasks do meanwhile is written once it is back, and nothing is done over.

import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, toHeadraceError } from '../core/index.ts';

/** Does it, again while the database or the artifact store does not answer (HR_STORAGE_UNAVAILABLE); so it is safe to repeat. */
export type AwaitStorage = <R>(work: () => Promise<R>) => Promise<R>;

const FIRST_MS = 200;
const LONGEST_MS = 2000;
const TOLD_EVERY_MS = 60_000;

/** `what` waits, for the log. Nothing is waited for once `signal` is aborted, or after `limitMs` where that is given. */
export function createStorageWait({
  logger,
  what,
  signal,
  limitMs = Infinity,
}: {
  readonly logger?: Logger;
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  readonly limitMs?: number;
}): AwaitStorage {
  return async (work) => {
    const startMs = performance.now();
    let toldMs = -Infinity;
    for (let waitMs = FIRST_MS; ; waitMs = Math.min(LONGEST_MS, waitMs * 1.5)) {
      try {
        const done = await work();
        if (toldMs > -Infinity) logger?.info({ seconds: (performance.now() - startMs) / 1000 }, `${what} goes on`);
        return done;
      } catch (error) {
        const { code } = toHeadraceError(error);
        const nowMs = performance.now();
        if (code !== 'HR_STORAGE_UNAVAILABLE' || signal?.aborted === true || nowMs - startMs > limitMs) throw error;
        if (nowMs - toldMs >= TOLD_EVERY_MS) {
          toldMs = nowMs;
          logger?.warn({ error: String(error) }, `${what} waits for its storage, and tries again`);
        }
        await delay(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
      }
    }
  };
}
