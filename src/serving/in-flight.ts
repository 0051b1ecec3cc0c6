// How many requests run at once: past the bound the answer is 429 at once.

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
