// Ranges of event time, by which a run leaves out what it can't need.

import { expect, it } from 'vitest';
import { ALL_EVENTS, isEmptyRange, momentText, NO_EVENTS, overlaps } from '../../src/offline/sources/event-range.ts';

it('two overlap where they share a moment, be it an end of both', () => {
  expect(overlaps({ from: 1, to: 3 }, { from: 3, to: 9 })).toBe(true);
  expect(overlaps({ from: 3, to: 9 }, { from: 1, to: 3 })).toBe(true);
  expect(overlaps({ from: 1, to: 3 }, { from: 4, to: 9 })).toBe(false);
  expect(overlaps({ from: 4, to: 9 }, { from: 1, to: 3 })).toBe(false);
});

it('one is empty where it ends before it begins, or was never given an end', () => {
  for (const empty of [
    NO_EVENTS,
    { from: 4, to: 3 },
    { from: -Infinity, to: -Infinity },
    { from: Infinity, to: Infinity },
  ])
    expect(isEmptyRange(empty), JSON.stringify(empty)).toBe(true);
  for (const some of [ALL_EVENTS, { from: 3, to: 3 }, { from: -Infinity, to: 0 }])
    expect(isEmptyRange(some)).toBe(false);
});

it('an end is said in SQL where every engine can say it, and left out where not', () => {
  const [first, last] = [86_400_000_000, Date.UTC(9999, 0) * 1000];
  expect(momentText(first)).toBe('1970-01-02 00:00:00');
  expect(momentText(first + 1)).toBe('1970-01-02 00:00:00.000001');
  expect(momentText(last)).toBe('9999-01-01 00:00:00');
  for (const at of [first - 1, last + 60_000_000, -Infinity, Infinity]) expect(momentText(at)).toBeUndefined();
});
