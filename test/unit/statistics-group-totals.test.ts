// Outcomes by groups of units: against whole numbers of any size, in any order and any split into parts.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  addGrouped,
  addToGroup,
  copyGroups,
  createGroupTotals,
  type GroupedOutcomes,
  packGroups,
} from '../../src/statistics/index.ts';
import { rationalSum } from '../support/rational.ts';
import { runs } from '../support/tier.ts';

/** Finite with their squares; 1 and 65 are of one group. */
const outcome = fc.record({
  unit: fc.constantFrom(1, 65, 2, 63),
  value: fc.oneof(
    fc.double({ min: -1e100, max: 1e100, noNaN: true }),
    fc.double({ min: -10, max: 10, noNaN: true }),
    fc.constantFrom(0, 1, 0.1, 1e18, -1e18, 1e100, 2 ** 53, 1e-6),
  ),
});
type Outcome = typeof outcome extends fc.Arbitrary<infer T> ? T : never;
const outcomes = fc.array(outcome, { maxLength: 20 });

function packed(told: readonly Outcome[], takenBack: readonly Outcome[] = []): GroupedOutcomes {
  const totals = createGroupTotals();
  for (const { unit, value } of told) addToGroup(totals, unit, value, 1);
  for (const { unit, value } of takenBack) addToGroup(totals, unit, value, -1);
  return packGroups(totals);
}

function naive(told: readonly Outcome[], group: number): readonly number[] {
  const values = told.filter(({ unit }) => unit % 64 === group).map(({ value }) => value);
  return [values.length, rationalSum(values), rationalSum(values.map((value) => value * value))];
}

/** As tables keep them. */
const stored = (grouped: GroupedOutcomes): GroupedOutcomes => JSON.parse(JSON.stringify(grouped)) as GroupedOutcomes;

const NOTHING = packGroups(createGroupTotals());

it('are the doubles nearest to the true sums, whatever was in them for a while, and in whichever part it was', () => {
  fc.assert(
    fc.property(outcomes, outcomes, outcomes, (first, second, mistaken) => {
      const sums = createGroupTotals();
      addGrouped(sums, stored(packed([...first, ...mistaken])));
      addGrouped(sums, stored(packed(second, mistaken)));
      for (const group of [1, 2, 63])
        expect([sums.n[group], sums.sum[group], sums.squares[group]]).toEqual(naive([...first, ...second], group));
    }),
    { numRuns: runs(1000) },
  );
});

it('are nothing once all is taken back', () => {
  fc.assert(
    fc.property(outcomes, (told) => {
      expect(packed(told, told)).toEqual(NOTHING);
    }),
  );
});

it('have no rests where doubles hold the sums, nor need any', () => {
  const halves = packed([
    { unit: 1, value: 1 },
    { unit: 65, value: 0.5 },
  ]);
  expect(halves).not.toHaveProperty('rests');
  expect(
    packed([
      { unit: 1, value: 1e18 },
      { unit: 65, value: 3 },
    ]).rests,
  ).toEqual([[1, [3], [9]]]);
  const sums = createGroupTotals();
  addGrouped(sums, halves);
  expect([sums.n[1], sums.sum[1], sums.squares[1]]).toEqual([2, 1.5, 1.25]);
});

it('are copied whole: what comes to the one is not in the other', () => {
  const totals = createGroupTotals();
  addToGroup(totals, 1, 1e18, 1);
  addToGroup(totals, 1, 3, 1);
  const before = packGroups(totals);
  const copy = copyGroups(totals);
  addToGroup(copy, 1, 1e18, -1);
  expect(packGroups(copy)).toMatchObject({ n: NOTHING.n.with(1, 1), sum: NOTHING.sum.with(1, 3) });
  expect(packGroups(totals)).toEqual(before);
});
