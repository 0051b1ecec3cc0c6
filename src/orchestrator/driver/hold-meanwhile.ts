// Keeps a run its driver's while that waits for an executor: a cluster's API may be away for minutes, and what runs there runs on.

import { setTimeout as delay } from 'node:timers/promises';

/** Gives what `work` gives; throws what `renew` throws first. */
export async function holdMeanwhile<T>(work: Promise<T>, renew: () => Promise<void>, everyMs: number): Promise<T> {
  // Looked at below; by then it may be too late to say so.
  work.catch(() => {});
  for (;;) {
    const stop = new AbortController();
    const isOver = work.then(
      () => true,
      () => true,
    );
    const isDue = delay(everyMs, false, { signal: stop.signal }).catch(() => false);
    const over = await Promise.race([isOver, isDue]);
    stop.abort();
    if (over) return await work;
    await renew();
  }
}
