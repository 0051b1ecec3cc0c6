// A change of weights moves the fewest buckets there can be, and none of those whose weights stay; by a table of buckets,
// counted one by one.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKETS, moveBuckets } from '../../src/registry/bucket-ranges.ts';
import { runs } from '../support/tier.ts';

type Asked = Parameters<typeof moveBuckets>[1][number];
type Held = Parameters<typeof moveBuckets>[0][number];

const names = ['stable', 'a', 'b', 'c', 'd', 'e'];

/** Some of the variants, in any order, by weights of whole hundredths that sum to 100. */
const traffic: fc.Arbitrary<readonly Asked[]> = fc.shuffledSubarray(names, { minLength: 1 }).chain((picked) =>
  fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: BUCKETS }), { minLength: picked.length - 1, maxLength: picked.length - 1 }),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: picked.length, maxLength: picked.length }),
    )
    .map(([cuts, versions]) => {
      const bounds = [0, ...cuts.toSorted((one, other) => one - other), BUCKETS];
      return picked.map((name, at) => ({
        name,
        version: versions[at] as number,
        weight: ((bounds[at + 1] as number) - (bounds[at] as number)) / 100,
      }));
    }),
);

function hold(before: readonly Held[], asked: readonly Asked[]): Held[] {
  const ranges = moveBuckets(before, asked);
  return asked.map(({ name, version }, at) => ({ name, version, ranges: ranges[at] ?? [] }));
}

/** Who has each bucket. */
function ownersOf(held: readonly Held[]): (string | undefined)[] {
  const owners = new Array<string | undefined>(BUCKETS);
  for (const { name, ranges } of held) {
    for (const [from, to] of ranges) {
      for (let bucket = from; bucket < to; bucket++) {
        if (owners[bucket] !== undefined) throw new Error(`bucket ${bucket} is both ${owners[bucket]}'s and ${name}'s`);
        owners[bucket] = name;
      }
    }
  }
  return owners;
}

const countOf = (owners: readonly unknown[], name: string): number => owners.filter((owner) => owner === name).length;

const weights = (stable: string, candidate: string, weight = 30): Asked[] => [
  { name: stable, version: 1, weight: 100 - weight },
  { name: candidate, version: 2, weight },
];

describe('buckets', () => {
  it('are each one variant’s, by its weight, after any number of changes; its ranges ascend and do not touch', () => {
    fc.assert(
      fc.property(fc.array(traffic, { minLength: 1, maxLength: 6 }), (changes) => {
        let held: Held[] = [];
        for (const asked of changes) {
          held = hold(held, asked);
          const owners = ownersOf(held);
          for (const { name, weight } of asked) expect(countOf(owners, name)).toBe(Math.round(weight * 100));
          for (const { ranges } of held) {
            for (let at = 0; at < ranges.length; at++) {
              const [from, to] = ranges[at] ?? [0, 0];
              expect(from).toBeLessThan(to);
              if (at > 0) expect(from).toBeGreaterThan(ranges[at - 1]?.[1] ?? 0);
            }
          }
        }
      }),
      { numRuns: runs(60) },
    );
  });

  it('move as few as can be: one that grows keeps all, one that shrinks gives from its end, others keep theirs', () => {
    fc.assert(
      fc.property(fc.array(traffic, { minLength: 1, maxLength: 4 }), traffic, (history, asked) => {
        // Versions that all differ, so that nobody is taken for another who was renamed.
        const own = (all: readonly Asked[]): Asked[] =>
          all.map((one) => ({ ...one, version: names.indexOf(one.name) }));
        let held: Held[] = [];
        for (const earlier of history) held = hold(held, own(earlier));
        const before = ownersOf(held);
        const after = ownersOf(hold(held, own(asked)));
        let least = 0;
        for (const name of names) least += Math.max(0, countOf(before, name) - countOf(after, name));
        expect(before.filter((owner, bucket) => owner !== after[bucket])).toHaveLength(least);
        for (const name of names) {
          const [had, has] = [countOf(before, name), countOf(after, name)];
          const kept = before.flatMap((owner, bucket) => (owner === name && after[bucket] === name ? [bucket] : []));
          expect(kept).toHaveLength(Math.min(had, has));
          const mine = before.flatMap((owner, bucket) => (owner === name ? [bucket] : []));
          expect(kept).toEqual(mine.slice(0, kept.length));
        }
      }),
      { numRuns: runs(60) },
    );
  });

  it('stay with a variant that gets another name, as long as its version does', () => {
    const held = hold(hold([], weights('stable', 'candidate')), weights('stable', 'candidate'));
    const renamed = hold(held, weights('main', 'next'));
    expect(renamed.map(({ ranges }) => ranges)).toEqual(held.map(({ ranges }) => ranges));
  });

  it('of a ramp go to the candidate from the end of what the base has, and back', () => {
    let held: Held[] = [];
    const shown = [0, 1, 5, 25, 50, 100, 50, 0].map((weight) => {
      held = hold(held, weights('stable', 'candidate', weight));
      return held.map(({ ranges }) => ranges);
    });
    expect(shown).toEqual([
      [[[0, 10_000]], []],
      [[[0, 9900]], [[9900, 10_000]]],
      [[[0, 9500]], [[9500, 10_000]]],
      [[[0, 7500]], [[7500, 10_000]]],
      [[[0, 5000]], [[5000, 10_000]]],
      [[], [[0, 10_000]]],
      [[[5000, 10_000]], [[0, 5000]]],
      [[[0, 10_000]], []],
    ]);
  });
});
