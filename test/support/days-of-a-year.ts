// A source whose rows are the midnights of 2025, numbered from 1, and a row -1 without a time: what comes of a range of them.

import { expect } from 'vitest';
import { type Field, MICROS_PER_DAY, parseTimestamp, type Row } from '../../src/core/index.ts';
import type { EventRange } from '../../src/offline/sources/event-range.ts';
import { TYPES } from './offline-world.ts';

export const DAY_COLUMNS: readonly Field[] = [
  { name: 'at', type: TYPES.timestamp },
  { name: 'n', type: TYPES.int32 },
];

/** A midnight of the year, `MM-DD`. */
export const midnight = (day: string): number => parseTimestamp(`2025-${day}T00:00:00Z`) as number;

/** Numbered from 1. */
export const DAYS: readonly Row[] = Array.from({ length: 365 }, (_, day) => ({
  at: midnight('01-01') + day * MICROS_PER_DAY,
  n: day + 1,
}));
export const WITHOUT_DAY: Row = { at: null, n: -1 };

/** `read` gives the rows that are asked for of a range. */
export async function expectDaysOfRanges(read: (range: EventRange) => Promise<readonly Row[]>): Promise<void> {
  const days = async (from: number, to: number) =>
    (await read({ from, to })).map(({ n }) => n as number).sort((a, b) => a - b);
  expect(await days(midnight('02-01'), midnight('02-03'))).toEqual([-1, 32, 33, 34]);
  expect(await days(midnight('02-01') + 1, midnight('02-03') - 1)).toEqual([-1, 33]);
  expect(await days(-Infinity, midnight('01-02'))).toEqual([-1, 1, 2]);
  expect(await days(midnight('12-31'), Infinity)).toEqual([-1, 365]);
  expect((await days(-Infinity, Infinity)).length).toBe(366);
  // A spine without a time needs nothing; neither does one of before there were databases.
  expect(await days(Infinity, -Infinity)).toEqual([-1]);
  expect(await days(Infinity, Infinity)).toEqual([-1]);
  expect((await days(-8e15, midnight('01-01'))).length).toBe(2);
}
