import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assign, isShadowed } from '../../src/rollouts/index.ts';

const salt = fc.string({ minLength: 1, maxLength: 8 });
const unit = fc.array(fc.string({ maxLength: 6 }), { minLength: 1, maxLength: 3 });
const endpoint = (weights: readonly number[], seed: string) => ({ salt: seed, variants: weights.map((weight) => ({ weight })) });

/** Weights of two to five variants that sum to 100. */
const weights = fc
  .array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 4 })
  .map((cuts) => [0, ...cuts.sort((a, b) => a - b), 100])
  .map((cuts) => cuts.slice(1).map((cut, index) => cut - (cuts[index] as number)));

it('gives a unit the same variant each time, and never one of weight 0', () => {
  fc.assert(
    fc.property(weights, salt, unit, (all, seed, values) => {
      const index = assign(endpoint(all, seed), values);
      expect(assign(endpoint(all, seed), [...values])).toBe(index);
      expect(all[index]).toBeGreaterThan(0);
    }),
  );
});

it('moves no unit out of a variant that grows while no other does', () => {
  const growth = weights.chain((before) =>
    fc.record({
      before: fc.constant(before),
      grows: fc.nat({ max: before.length - 1 }),
      from: fc.nat({ max: before.length - 1 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  );
  fc.assert(
    fc.property(growth, salt, fc.array(unit, { minLength: 50, maxLength: 50 }), ({ before, grows, from, share }, seed, units) => {
      const taken = Math.floor((before[from] as number) * share);
      const after = [...before];
      after[from] = (after[from] as number) - taken;
      after[grows] = (after[grows] as number) + taken;
      for (const values of units) {
        if (assign(endpoint(before, seed), values) === grows) expect(assign(endpoint(after, seed), values)).toBe(grows);
      }
    }),
  );
});

it('splits units as the weights say', () => {
  const counts = [0, 0, 0];
  for (let i = 0; i < 20_000; i++) {
    const index = assign(endpoint([85, 10, 5], 'salt'), [`unit-${i}`]);
    counts[index] = (counts[index] as number) + 1;
  }
  for (const [index, expected] of [0.85, 0.1, 0.05].entries()) {
    const deviation = Math.sqrt(20_000 * expected * (1 - expected));
    expect(Math.abs((counts[index] as number) - 20_000 * expected)).toBeLessThan(5 * deviation);
  }
});

it('keeps a shadowed unit shadowed as the share grows', () => {
  fc.assert(
    fc.property(salt, unit, fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), (seed, values, a, b) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      if (isShadowed(seed, values, low)) expect(isShadowed(seed, values, high)).toBe(true);
      expect(isShadowed(seed, values, 0)).toBe(false);
      expect(isShadowed(seed, values, 100)).toBe(true);
    }),
  );
});
