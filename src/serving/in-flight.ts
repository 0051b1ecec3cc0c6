// How many requests run at once, and how long each may: past the bound the answer is 429 at once, past the deadline 504.

import { HeadraceError } from '../core/index.ts';

/** A bound on what runs at once. */
export interface InFlight {
  /** Takes a place, or throws HR_OVERLOADED. Give it back with `leave`. */
  enter(): void;
  leave(): void;
  readonly count: number;
}

export function createInFlight(max: number): InFlight {
  let count = 0;
  return {
    enter() {
      if (count >= max)
        throw new HeadraceError('HR_OVERLOADED', `${max} requests are running already. Retry after a second.`);
      count++;
    },
    leave() {
      count--;
    },
    get count() {
      return count;
    },
  };
}

/** When the request must be answered, in milliseconds of `performance.now()`. */
export type DeadlineMs = number;

/** Throws HR_DEADLINE once the deadline has passed. */
export function checkDeadline(deadlineMs: DeadlineMs, stage: string): void {
  if (performance.now() > deadlineMs) throw passed(stage);
}

/** What `work` gives, or HR_DEADLINE when that takes too long; what `work` then gives is dropped. */
export function beforeDeadline<T>(work: Promise<T>, deadlineMs: DeadlineMs, stage: string): Promise<T> {
  const leftMs = deadlineMs - performance.now();
  if (leftMs <= 0) {
    work.catch(() => {});
    return Promise.reject(passed(stage));
  }
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(passed(stage)), leftMs);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (thrown: unknown) => {
        clearTimeout(timer);
        reject(thrown as Error);
      },
    );
  });
}

function passed(stage: string): HeadraceError {
  return new HeadraceError(
    'HR_DEADLINE',
    `the deadline passed while ${stage}. Raise X-Request-Timeout-Ms, or send fewer rows.`,
  );
}
