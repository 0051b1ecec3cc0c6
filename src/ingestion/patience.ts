// How long pushes wait for their answer: all equally long, so one timer watches the one that came first.

import { HeadraceError, messageOf } from '../core/index.ts';

export interface Patience {
  /** What `work` gives, or HR_ONLINE_UNAVAILABLE when that takes too long; what `work` then gives is dropped. */
  within<T>(work: Promise<T>): Promise<T>;
}

interface Waiting {
  readonly untilMs: number;
  readonly giveUp: (why: Error) => void;
}

/** `reason` says why the store lets wait, where that is known. */
export function createPatience(limitMs: number, reason: () => string | undefined): Patience {
  /** In the order in which they came. */
  const waiting = new Set<Waiting>();
  let timer: NodeJS.Timeout | undefined;

  const watch = (): void => {
    timer = undefined;
    const now = performance.now();
    for (const one of waiting) {
      if (one.untilMs > now) {
        timer = setTimeout(watch, Math.ceil(one.untilMs - now));
        return;
      }
      waiting.delete(one);
      one.giveUp(tooLong(reason()));
    }
  };

  // Left to run out between pushes that come one after the other: set and cleared for each it would cost more than them.
  const hold = (): void => {
    if (timer === undefined) timer = setTimeout(watch, limitMs);
    else if (waiting.size === 1) timer.ref();
  };
  const letGo = (one: Waiting): void => {
    if (waiting.delete(one) && waiting.size === 0) timer?.unref();
  };

  return {
    within: (work) =>
      new Promise((resolve, reject) => {
        const one = { untilMs: performance.now() + limitMs, giveUp: reject };
        waiting.add(one);
        hold();
        work.then(
          (value) => {
            letGo(one);
            resolve(value);
          },
          (thrown: unknown) => {
            letGo(one);
            reject(thrown as Error);
          },
        );
      }),
  };
}

/** Of a push that is not even logged, as too much waits already. */
export function unavailable(failure: unknown): HeadraceError {
  if (failure instanceof HeadraceError) return failure;
  return new HeadraceError('HR_ONLINE_UNAVAILABLE', `the online store does not take pushes: ${messageOf(failure)}`);
}

function tooLong(reason = 'it takes too long'): HeadraceError {
  return new HeadraceError(
    'HR_ONLINE_UNAVAILABLE',
    `the push is not visible in the online store yet (${reason}); what is in the log of it will count once. Repeat it only with its Idempotency-Key.`,
  );
}
