// How many replicas of a Redis node must have a claim.

import { expect, it } from 'vitest';
import { PromisedReplicas } from '../../src/online/redis/durable-writes.ts';

const MINUTE_MS = 60_000;

/** What is promised after each time (in minutes) at which so many replicas were connected. */
function promisedAfter(seen: readonly (readonly [minute: number, connected: number])[], set?: number): number[] {
  let nowMs = 0;
  const promised = new PromisedReplicas(set, () => nowMs);
  return seen.map(([minute, connected]) => {
    nowMs = minute * MINUTE_MS;
    promised.note(connected);
    return promised.count;
  });
}

it.each([
  {
    what: 'the most of the last 10 minutes',
    seen: [
      [0, 2],
      [5, 1],
      [9, 0],
      [10.1, 0],
      [15.1, 0],
    ],
    gives: [2, 2, 2, 1, 0],
  },
  {
    what: 'one that comes and goes',
    seen: [
      [0, 1],
      [1, 0],
      [2, 1],
      [3, 0],
      [11.9, 0],
      [12.1, 0],
    ],
    gives: [1, 1, 1, 1, 1, 0],
  },
  {
    what: 'one that never left',
    seen: [
      [0, 1],
      [60, 1],
      [69, 0],
    ],
    gives: [1, 1, 1],
  },
  {
    what: 'more than before',
    seen: [
      [0, 1],
      [1, 3],
    ],
    gives: [1, 3],
  },
  {
    what: 'as many as are set',
    seen: [
      [0, 3],
      [20, 0],
    ],
    set: 1,
    gives: [1, 1],
  },
  { what: 'none where none are wanted', seen: [[0, 3]], set: 0, gives: [0] },
] as const)('are $what', ({ seen, gives, ...more }) => {
  expect(promisedAfter(seen, 'set' in more ? more.set : undefined)).toEqual(gives);
});

it('are none before any was seen', () => {
  expect(new PromisedReplicas(undefined).count).toBe(0);
});
