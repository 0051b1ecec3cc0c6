// Units that a series has met, within the bytes that all series share: each that is said to be known was met, and what is
// remembered is a lower part of all hashes.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createKnownBudget, createKnownUnits } from '../../src/monitoring/minutes/known-units.ts';

const hashes = (count: number, seed = 0): number[] =>
  Array.from({ length: count }, (_, at) => (Math.imul(at + 1, 2_654_435_761) ^ Math.imul(seed, 40_503)) >>> 0).filter(
    (hash) => hash !== 0,
  );

it('knows whom it has met, and nobody else, while there is room', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { maxLength: 2000 }), (asked) => {
      const known = createKnownUnits(createKnownBudget());
      const oracle = new Set<number>();
      for (const hash of [...asked, ...asked]) {
        expect(known.met(hash)).toBe(oracle.has(hash));
        oracle.add(hash);
      }
      known.clear();
      expect(asked.slice(0, 1).some((hash) => known.met(hash))).toBe(false);
    }),
  );
});

it('remembers the lowest hashes of more units than it may', () => {
  const budget = createKnownBudget();
  const known = createKnownUnits(budget);
  const all = hashes(300_000);
  expect(all.filter((hash) => known.met(hash))).toEqual([]);
  expect(budget.bytes()).toBe(512 * 1024);
  const sorted = all.toSorted((a, b) => a - b);
  // More than a minute's sample holds.
  expect(sorted.slice(0, 20_000).filter((hash) => !known.met(hash))).toEqual([]);
  expect(sorted.slice(-150_000).filter((hash) => known.met(hash))).toEqual([]);
});

it('takes no more bytes than all series may, and shares them out', () => {
  const mostBytes = 256 * 1024;
  const budget = createKnownBudget(mostBytes);
  const sets = Array.from({ length: 40 }, () => createKnownUnits(budget));
  for (const [at, set] of sets.entries()) {
    for (const hash of hashes(20_000, at)) set.met(hash);
    expect(budget.bytes()).toBe(sets.reduce((sum, one) => sum + one.bytes(), 0));
    // Each has its least, and nothing else is over.
    expect(budget.bytes()).toBeLessThanOrEqual(mostBytes + 40 * 256);
  }
  const sizes = sets.map((set) => set.bytes());
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1024);
  for (const [at, set] of sets.entries()) {
    const [lowest = 0] = hashes(20_000, at).toSorted((a, b) => a - b);
    expect(set.met(lowest)).toBe(true);
  }
  for (const set of sets) set.clear();
  expect(budget.bytes()).toBe(0);
});
