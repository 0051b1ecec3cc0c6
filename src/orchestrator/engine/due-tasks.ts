// Tasks that are to be tried again, the one whose time comes first on top: a binary heap.

import type { Micros } from '../../core/index.ts';

export interface DueTasks {
  readonly size: number;
  add(index: number, at: Micros): void;
  /** When the first may be claimed; Infinity where there is none. */
  first(): Micros;
  /** How many may be claimed by `now`; counted up to `most`. */
  countDue(now: Micros, most: number): number;
  /** Takes the first out where its time has come by `now`. */
  take(now: Micros): number | undefined;
}

export function createDueTasks(): DueTasks {
  const heap: { readonly index: number; readonly at: Micros }[] = [];
  const isBefore = (one: number, other: number): boolean => {
    const [a, b] = [heap[one], heap[other]];
    if (a === undefined || b === undefined) return false;
    return a.at < b.at || (a.at === b.at && a.index < b.index);
  };
  const swap = (one: number, other: number): void => {
    const [a, b] = [heap[one], heap[other]];
    if (a === undefined || b === undefined) return;
    heap[one] = b;
    heap[other] = a;
  };
  return {
    get size() {
      return heap.length;
    },
    add(index, at) {
      heap.push({ index, at });
      for (let place = heap.length - 1; place > 0; ) {
        const above = (place - 1) >> 1;
        if (!isBefore(place, above)) break;
        swap(place, above);
        place = above;
      }
    },
    first: () => heap[0]?.at ?? Infinity,
    countDue(now, most) {
      // What lies under one that is not due is not due either.
      const countFrom = (place: number, left: number): number => {
        const one = heap[place];
        if (one === undefined || one.at > now || left <= 0) return 0;
        const here = 1 + countFrom(2 * place + 1, left - 1);
        return here + countFrom(2 * place + 2, left - here);
      };
      return countFrom(0, most);
    },
    take(now) {
      const top = heap[0];
      if (top === undefined || top.at > now) return undefined;
      swap(0, heap.length - 1);
      heap.pop();
      for (let place = 0; ; ) {
        const [left, right] = [2 * place + 1, 2 * place + 2];
        const least = isBefore(right, left) ? right : left;
        if (!isBefore(least, place)) break;
        swap(least, place);
        place = least;
      }
      return top.index;
    },
  };
}
