// Requests tried again while brokers are away, for a bounded time.

import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError } from '../../core/index.ts';
import { isLasting } from '../../storage/index.ts';
import type { BrokerLink } from './broker-link.ts';
import { topicUnavailable } from './log-errors.ts';
import { SpanGone } from './read-partition.ts';

/** Throws HR_STORAGE_UNAVAILABLE once it took too long, and at once what is no matter of time. */
export type Retrying = <T>(ask: () => Promise<T>) => Promise<T>;

export const FIRST_RETRY_MS = 50;
export const LAST_RETRY_MS = 1000;

export function createRetrying(link: BrokerLink, patienceMs: number): Retrying {
  return async (ask) => {
    const until = performance.now() + patienceMs;
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      try {
        return await ask();
      } catch (thrown) {
        if (thrown instanceof SpanGone || thrown instanceof HeadraceError) throw thrown;
        if (isLasting(thrown) || performance.now() > until) throw topicUnavailable(thrown, link);
        link.refresh();
        await delay(waitMs);
      }
    }
  };
}
