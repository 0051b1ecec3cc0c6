// The sum that rounds once: against whole numbers of any size, in any order.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactSum } from '../../src/core/index.ts';
import { rationalSum } from '../support/rational.ts';
import { runs } from '../support/tier.ts';

const MAX = Number.MAX_VALUE;
const ULP = 2 ** 971;

// Doubles of every size, and the ones at the edges of rounding and of the range.
const any = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(1, -1, 2 ** 53, 2 ** -53, 2 ** -54, -(2 ** -54), 1e16, -1e16, 0.1, 0, -0),
  fc.constantFrom(MAX, -MAX, 2 ** 1023, -(2 ** 1023), ULP, ULP / 2, -ULP / 2, 5e-324, -5e-324, 2 ** -1022),
);

describe('exactSum', () => {
  it('is the double nearest to the true sum', () => {
    fc.assert(
      fc.property(fc.array(any, { maxLength: 20 }), (values) => {
        expect(exactSum(values)).toBe(rationalSum(values));
      }),
      { numRuns: runs(3000) },
    );
  });

  it('is so where nearly all cancels out, in any order', () => {
    const cancelling = fc.tuple(any, fc.array(any, { maxLength: 12 })).chain(([one, values]) => {
      const all = [one, ...values, ...values.map((value) => -value)];
      return fc.shuffledSubarray(all, { minLength: all.length }).map((shuffled) => ({ one, shuffled }));
    });
    fc.assert(
      fc.property(cancelling, ({ one, shuffled }) => {
        expect(exactSum(shuffled)).toBe(one + 0);
      }),
      { numRuns: runs(2000) },
    );
  });

  it.each([
    ['what plain addition loses', [1e16, 1, -1e16], 1],
    ['three sizes', [1e32, 1e16, 1, -1e32, -1e16], 1],
    ['a passage through infinity', [MAX, MAX, -MAX, -MAX, 3], 3],
    ['half a digit past the greatest', [MAX, ULP / 2], Infinity],
    ['a little less than that', [MAX, ULP / 2, -5e-324], MAX],
    ['a sum past the greatest', [MAX, MAX], Infinity],
    ['one below the least', [-MAX, -MAX, 1], -Infinity],
    ['half a digit, to even', [1, 2 ** -53], 1],
    ['a little more than half', [1, 2 ** -53, 5e-324], 1 + 2 ** -52],
    ['no numbers', [], 0],
    ['an infinity', [1, Infinity, MAX, MAX], Infinity],
    ['both infinities', [Infinity, 1, -Infinity], NaN],
    ['a NaN', [1, NaN], NaN],
  ])('takes %s', (_, values, sum) => {
    expect(exactSum(values)).toBe(sum);
    expect(exactSum(values.toReversed())).toBe(sum);
  });
});
