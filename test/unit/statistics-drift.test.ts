// A window is held against how days differ by themselves, at a thousand rows and a million alike; distances are none
// between equals.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seeded } from '../../bench/simulate/random.ts';
import * as stats from '../../src/statistics/index.ts';

const counts = fc.array(fc.nat(50), { minLength: 2, maxLength: 8 }).filter((bins) => bins.some((count) => count > 0));

describe('distances', () => {
  it('are zero between equal shares, and none is ever below', () => {
    fc.assert(
      fc.property(
        counts,
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.nat(50), { minLength: 8, maxLength: 8 }),
        (a, k, other) => {
          const same = a.map((count) => count * k);
          for (const distance of [stats.jensenShannon, stats.hellinger, stats.lInfinity, stats.kl])
            expect(distance(a, same)).toBeCloseTo(0, 7);
          expect(stats.psi(a, same, 0)).toBeCloseTo(0, 9);
          const b = other.slice(0, a.length).map((count, i) => count + Number(i === 0));
          for (const distance of [stats.jensenShannon, stats.hellinger, stats.lInfinity, stats.kl, stats.psi]) {
            expect(distance(a, b)).toBeGreaterThanOrEqual(-1e-12);
          }
          expect(stats.jensenShannon(a, b)).toBeLessThanOrEqual(Math.sqrt(Math.LN2) + 1e-9);
          expect(stats.psi(a, b)).toBeCloseTo(stats.psi(b, a), 9);
        },
      ),
    );
    expect(() => stats.psi([1, 2], [1, 2, 3])).toThrow(RangeError);
    expect(stats.chiSquareAgainst([10, 0], [9, 1])).toBe(0);
  });

  it('of values move with them: shifted by c, Wasserstein’s is c', () => {
    const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(values, fc.integer({ min: -20, max: 20 }), (a, c) => {
        const shifted = a.map((each) => each + c);
        expect(stats.wasserstein(a, shifted)).toBeCloseTo(Math.abs(c), 9);
        expect(stats.kolmogorovSmirnov(a, a)).toEqual({ distance: 0, p: 1 });
      }),
    );
    for (const [a, b] of [
      [[], [1]],
      [[1], []],
      [[], []],
    ] as const)
      expect(stats.wasserstein(a, b)).toBeNaN();
    expect(stats.kolmogorovSmirnov([], [1])).toEqual({ distance: 0, p: 1 });
  });

  it('have the exact p by counting all orders of two small samples', () => {
    // All ways to choose which 3 of 7 places are a's.
    const orders: number[][] = [];
    for (let bits = 0; bits < 128; bits++) {
      const places = Array.from({ length: 7 }, (_, i) => i).filter((i) => (bits >> i) % 2 === 1);
      if (places.length === 3) orders.push(places);
    }
    const rest = (a: readonly number[]) => [0, 1, 2, 3, 4, 5, 6].filter((i) => !a.includes(i));
    const distances = orders.map((a) => stats.kolmogorovSmirnov(a, rest(a)));
    for (const { distance, p } of distances) {
      const asFar = distances.filter((other) => other.distance >= distance - 1e-12).length / distances.length;
      expect(p).toBeCloseTo(asFar, 12);
    }
  });
});

/** Ten bins of a standard normal's deciles, of rows that are normal about `shift`. */
function dayOf(random: () => number, rows: number, shift: number): number[] {
  const edges = [-1.2816, -0.8416, -0.5244, -0.2533, 0, 0.2533, 0.5244, 0.8416, 1.2816];
  const bins = new Array<number>(10).fill(0);
  for (let i = 0; i < rows; i++) {
    const x = shift + stats.drawNormal(random);
    const bin = edges.findIndex((edge) => x <= edge);
    const at = bin < 0 ? 9 : bin;
    bins[at] = (bins[at] as number) + 1;
  }
  return bins;
}

describe('the days’ own variation', () => {
  it('is the floors where days are the same, or there is only one', () => {
    const day = [300, 300, 400];
    expect(stats.daysOwnVariation([day, day, day])).toEqual({ mu: 0.003, sigma: 0.004 });
    expect(stats.daysOwnVariation([day])).toEqual({ mu: 0.003, sigma: 0.004 });
    expect(stats.daysOwnVariation([])).toEqual({ mu: 0.003, sigma: 0.004 });
  });

  it('is found about the same at few and at many rows a day: noise is taken off', () => {
    const random = seeded(11);
    const shifts = Array.from({ length: 30 }, () => 0.25 * stats.drawNormal(random));
    const [few, many] = [1_000, 20_000].map((rows) =>
      stats.daysOwnVariation(shifts.map((shift) => dayOf(random, rows, shift))),
    );
    if (few === undefined || many === undefined) throw new Error('two');
    // A normal's shift by s has a PSI of about s².
    expect(many.mu).toBeGreaterThan(0.03);
    expect(many.mu).toBeLessThan(0.1);
    expect(few.mu / many.mu).toBeGreaterThan(0.8);
    expect(few.mu / many.mu).toBeLessThan(1.25);
    expect(many.sigma).toBeGreaterThanOrEqual(0.8 * many.mu);
  });
});

describe('a window’s p', () => {
  it('is small for a shift that days don’t make, and not for one they do', () => {
    const random = seeded(12);
    const ref = dayOf(random, 30_000, 0);
    const cur = dayOf(random, 5_000, 0.3);
    expect(stats.psiTest({ ref, cur, mu: 0.003, sigma: 0.004 }).p).toBeLessThan(1e-6);
    expect(stats.psiTest({ ref, cur, mu: 0.06, sigma: 0.08 }).p).toBeGreaterThan(0.05);
  });

  it.each([
    ['no rows', [5, 5], [0, 0]],
    ['one bin', [5], [3]],
  ])('of %s says nothing', (_, ref, cur) => {
    expect(stats.psiTest({ ref, cur, mu: 0.003, sigma: 0.004 }).p).toBe(1);
  });
});

describe('expected confusion', () => {
  it('is the mean of the confusions that labels by the scores would give', () => {
    const scores = [0.9, 0.2, 0.6, 0.5];
    const sum = { truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0 };
    for (let bits = 0; bits < 16; bits++) {
      const chance = scores.reduce((whole, s, i) => whole * ((bits >> i) % 2 === 1 ? s : 1 - s), 1);
      scores.forEach((s, i) => {
        const isTrue = (bits >> i) % 2 === 1;
        const kind =
          s >= 0.5 ? (isTrue ? 'truePositives' : 'falsePositives') : isTrue ? 'falseNegatives' : 'trueNegatives';
        sum[kind] += chance;
      });
    }
    const told = stats.expectedConfusion(scores);
    for (const kind of ['truePositives', 'falsePositives', 'trueNegatives', 'falseNegatives'] as const) {
      expect(told[kind]).toBeCloseTo(sum[kind], 12);
    }
    expect(stats.confusionFigures(told)).toEqual({
      accuracy: expect.closeTo(2.8 / 4, 12),
      precision: expect.closeTo(2 / 3, 12),
      recall: expect.closeTo(2 / 2.2, 12),
      f1: expect.closeTo(4 / 5.2, 12),
    });
  });

  it('has no precision without a positive, and no recall without a true one', () => {
    const figures = { accuracy: 1, precision: null, recall: null, f1: null };
    expect(stats.confusionFigures(stats.expectedConfusion([0, 0]))).toEqual(figures);
  });
});
