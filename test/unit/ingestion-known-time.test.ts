// Rows of a push: when each was known, as its version's own definitions tell it, and what tells them when they are sent again.

import { expect, it } from 'vitest';
import { parseJson } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { isTime, statedKnown } from '../../src/ingestion/known-time.ts';
import { withoutFarTimes } from '../../src/ingestion/parse-push.ts';
import { hashOf } from '../../src/ingestion/repeat.ts';

const source = (knownTime: SourceSpec['knownTime']) => ({ knownTime, eventTime: 'at' }) as SourceSpec;

it('is what its column says, where it has one that says a time', () => {
  const byColumn = source({ kind: 'column', column: 'seen' });
  expect(statedKnown(byColumn, { at: 1, seen: 5 })).toBe(5);
  for (const none of [null, undefined, Infinity, -Infinity, NaN, 2 ** 53])
    expect(statedKnown(byColumn, none === undefined ? { at: 1 } : { at: 1, seen: none })).toBeUndefined();
  expect(statedKnown(source({ kind: 'column', column: 'at' }), { at: 1 })).toBeUndefined();
  expect(statedKnown(source({ kind: 'after', micros: 1 }), { at: 1 })).toBeUndefined();
});

it('in a kept version a row whose times lie too far ahead has no event time', () => {
  const byColumn = source({ kind: 'column', column: 'seen' });
  const limits = { maxRows: 1, maxAheadMicros: 10 };
  const rows = [{ at: 5 }, { at: 16 }, { at: 5, seen: 15 }, { at: 5, seen: 16 }];
  const kept = [{ at: 5 }, { at: null }, { at: 5, seen: 15 }, { at: null, seen: 16 }];
  expect(withoutFarTimes(byColumn, rows, 5, limits)).toEqual(kept);
  const near = rows.slice(0, 1);
  expect(withoutFarTimes(byColumn, near, 5, limits)).toBe(near);
});

it('a time is a whole number in a double, as in runs', () => {
  expect([0, -1, 2 ** 53 - 1, -(2 ** 53) + 1].every(isTime)).toBe(true);
  expect([2 ** 53, -(2 ** 53), 0.5, NaN, Infinity, null, undefined, 'x'].some(isTime)).toBe(false);
});

it('refuses a member that is nested beyond all use, and names it', () => {
  const nested = (depth: number): object => ({ more: parseJson('['.repeat(depth) + ']'.repeat(depth)) });
  expect(hashOf([nested(100)])).not.toBe(hashOf([nested(99)]));
  for (const depth of [101, 8000, 200_000])
    expect(() => hashOf([{}, nested(depth)])).toThrow(
      expect.objectContaining({ code: 'HR_INVALID', message: 'rows[1].more: is nested too deeply' }),
    );
});

const whole = { a: 1, b: 2 };
it.each([
  ['lacks the last member of the one before', [whole, { a: 1 }], [whole, { a: 1, b: null }]],
  ['has one more', [{ a: 1 }, whole], [{ a: 1, b: null }, whole]],
  ['has them in another order', [whole, { b: 2, a: 1 }], [whole, whole]],
  ['has none', [whole, {}], [whole, { a: null, b: null }]],
])('gives a row that %s the hash of its members that are not null', (_, some, same) => {
  expect(hashOf(some)).toBe(hashOf(same));
  expect(hashOf(some)).not.toBe(hashOf([...some, {}]));
});
