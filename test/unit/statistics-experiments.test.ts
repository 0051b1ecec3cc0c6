// Estimates of experiments against plain computations over the rows, and what a bandit's weights come to.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seeded } from '../../bench/simulate/random.ts';
import * as stats from '../../src/statistics/index.ts';

type Rows = readonly (readonly [y: number, x: number])[];

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
function variance(values: readonly number[]): number {
  const center = mean(values);
  return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
}
function sumsOf(rows: Rows): stats.PairSums {
  const sum = (of: (row: readonly [number, number]) => number) => rows.reduce((whole, row) => whole + of(row), 0);
  return {
    n: rows.length,
    y: sum(([y]) => y),
    yy: sum(([y]) => y * y),
    x: sum(([, x]) => x),
    xx: sum(([, x]) => x * x),
    xy: sum(([y, x]) => y * x),
  };
}
const value = fc.double({ min: -5, max: 5, noNaN: true });
const denominator = fc.double({ min: 1, max: 9, noNaN: true });

describe('an arm’s estimate', () => {
  it('of a ratio has the variance of its linearised rows', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(value, denominator), { minLength: 2, maxLength: 30 }), (rows) => {
        const { estimate, variance: told, n } = stats.ratioEstimate(sumsOf(rows));
        const ratio = mean(rows.map(([y]) => y)) / mean(rows.map(([, x]) => x));
        const linear = rows.map(([y, x]) => y - ratio * x);
        expect(estimate).toBeCloseTo(ratio, 9);
        expect(told).toBeCloseTo(variance(linear) / mean(rows.map(([, x]) => x)) ** 2 / n, 9);
      }),
    );
  });

  it('of two units that differ in the last place has no variance below zero', () => {
    const [a, b] = [0.3, 0.3000000000000002];
    const squares = a * a + b * b;
    // By the sums alone it would be.
    expect(squares - ((a + b) / 2) * (a + b)).toBeLessThan(0);
    expect(stats.meanEstimate({ n: 2, sum: a + b, squares }).variance).toBe(0);
    expect(stats.meanEstimate({ n: 1, sum: a, squares: a * a }).variance).toBeNaN();
  });

  it('adjusted by an earlier value has the variance of what that leaves, and one θ for all arms', () => {
    const random = seeded(5);
    const arm = (effect: number, units: number): Rows =>
      Array.from({ length: units }, () => {
        const x = 3 + stats.drawNormal(random);
        return [2 * x + effect + 0.5 * stats.drawNormal(random), x] as const;
      });
    const arms = [arm(0, 400), arm(0.3, 300)];
    const told = stats.cuped(arms.map(sumsOf));
    const within = arms.map((rows) => {
      const [y, x] = [mean(rows.map((row) => row[0])), mean(rows.map((row) => row[1]))];
      return {
        xy: rows.reduce((sum, row) => sum + (row[0] - y) * (row[1] - x), 0),
        xx: rows.reduce((sum, row) => sum + (row[1] - x) ** 2, 0),
      };
    });
    const theta = within.reduce((sum, { xy }) => sum + xy, 0) / within.reduce((sum, { xx }) => sum + xx, 0);
    expect(told.theta).toBeCloseTo(theta, 9);
    const center = mean(arms.flat().map(([, x]) => x));
    arms.forEach((rows, i) => {
      const left = rows.map(([y, x]) => y - theta * (x - center));
      expect(told.arms[i]?.estimate).toBeCloseTo(mean(left), 8);
      expect(told.arms[i]?.variance).toBeCloseTo(variance(left) / rows.length, 8);
    });
    const [control, treatment] = told.arms;
    if (control === undefined || treatment === undefined) throw new Error('two arms');
    // Without it the error is some four times as great: the earlier value tells 16/17 of the variance.
    expect(stats.welch(control, treatment).se).toBeLessThan(0.06);
    expect(stats.fixedHorizon(stats.welch(control, treatment), 0.05).p).toBeLessThan(1e-6);
  });

  it('adjusted by an earlier value that says nothing is the mean', () => {
    const rows: Rows = [
      [1, 4],
      [2, 4],
      [6, 4],
    ];
    const { theta, arms } = stats.cuped([sumsOf(rows), sumsOf(rows)]);
    expect(theta).toBe(0);
    expect(arms[0]).toEqual(stats.meanEstimate({ n: 3, sum: 9, squares: 41 }));
  });

  it('of a quantile knows no more by rows that a unit repeats', () => {
    const random = seeded(8);
    const values = Array.from({ length: 20_000 }, () => stats.drawNormal(random));
    const single = stats.quantileEstimate({ values, units: values.map((_, i) => i) }, 0.9);
    const thrice = stats.quantileEstimate(
      { values: values.flatMap((v) => [v, v, v]), units: values.flatMap((_, i) => [i, i, i]) },
      0.9,
    );
    expect(thrice.n).toBe(20_000);
    expect(thrice.estimate).toBeCloseTo(single.estimate, 2);
    expect(thrice.variance / single.variance).toBeCloseTo(1, 1);
    // q(1 − q)/(n f²) of the normal distribution.
    const at = stats.normalQuantile(0.9);
    const density = Math.exp((-at * at) / 2) / Math.sqrt(2 * Math.PI);
    expect(single.variance / (0.09 / (20_000 * density ** 2))).toBeGreaterThan(0.7);
    expect(single.variance / (0.09 / (20_000 * density ** 2))).toBeLessThan(1.4);
  });

  it('is winsorised at the quantiles of all arms together', () => {
    const values = Array.from({ length: 100 }, (_, i) => i + 1);
    expect(stats.winsorLimits(values, { lower: 0.05, upper: 0.99 })).toEqual([5, 99]);
    expect(stats.winsorLimits(values, {})).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect([1, 50, 1e9].map((each) => stats.winsorise(each, [5, 99]))).toEqual([5, 50, 99]);
  });

  it('that is 0 has no relative lift; equal rows have no width', () => {
    const nothing = stats.meanEstimate({ n: 10, sum: 0, squares: 0 });
    expect(stats.relativeLift(nothing, nothing)).toBeUndefined();
    expect(stats.fixedHorizon(stats.welch(nothing, nothing), 0.05)).toEqual({ p: 1, lo: 0, hi: 0 });
    const still = (n: number) => ({ ...nothing, n });
    expect([2, 3, 4].map((n) => stats.welch(still(1), still(n - 1)).df)).toEqual([1, 1, 2]);
  });
});

describe('adjusted p-values', () => {
  it('are never below the given ones, keep their order, and find no less by Benjamini and Hochberg', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }), (ps) => {
        const byHolm = stats.holm(ps);
        const byBh = stats.benjaminiHochberg(ps);
        ps.forEach((p, i) => {
          expect(byHolm[i]).toBeGreaterThanOrEqual(byBh[i] as number);
          expect(byBh[i]).toBeGreaterThanOrEqual(p);
          ps.forEach((other, j) => {
            if (p < other) expect(byHolm[i]).toBeLessThanOrEqual(byHolm[j] as number);
          });
        });
      }),
    );
  });
});

describe('draws', () => {
  const many = (draw: () => number) => Array.from({ length: 20_000 }, draw);

  it('have the means and variances of their distributions', () => {
    const random = seeded(3);
    const near = (values: readonly number[], center: number, spread: number): void => {
      expect(Math.abs(mean(values) - center)).toBeLessThan(5 * Math.sqrt(spread / values.length));
      expect(variance(values) / spread).toBeGreaterThan(0.9);
      expect(variance(values) / spread).toBeLessThan(1.1);
    };
    const draws = [
      () => stats.drawNormal(random),
      () => stats.drawGamma(random, 0.4),
      () => stats.drawGamma(random, 7),
      () => stats.drawBeta(random, 3, 9),
    ];
    const [normal = [], low = [], high = [], beta = []] = draws.map(many);
    near(normal, 0, 1);
    near(low, 0.4, 0.4);
    near(high, 7, 7);
    near(beta, 0.25, (0.25 * 0.75) / 13);
  });
});

describe('a bandit’s weights', () => {
  it('between two arms are how often each is the best', () => {
    const arms = [
      { mean: 1, se: 0.3 },
      { mean: 1.2, se: 0.4 },
    ];
    const { weights } = stats.topTwoThompson(arms, { random: seeded(1) });
    expect(weights[1]).toBeCloseTo(stats.normalCdf(0.2 / 0.5), 1);
    const least = stats.topTwoThompson(arms, { random: seeded(1), isLessBetter: true });
    expect(least.weights[0]).toBeCloseTo(weights[1] as number, 10);
    expect(stats.topTwoThompson(arms, { random: seeded(1) }).weights).toEqual(weights);
  });

  it('between rates follow the beta posteriors', () => {
    const { weights } = stats.topTwoThompson(
      [
        { events: 100, units: 1000 },
        { events: 130, units: 1000 },
      ],
      { random: seeded(2) },
    );
    const z = 0.03 / Math.sqrt((0.1 * 0.9 + 0.13 * 0.87) / 1000);
    expect(weights[0]).toBeCloseTo(stats.normalTwoSidedP(z) / 2, 1);
  });

  it('among more give the best and the second best a half each, and no arm less than the floor', () => {
    const arms = [5, 4, 1, 1].map((center) => ({ mean: center, se: 0.01 }));
    const { weights, best } = stats.topTwoThompson(arms, { random: seeded(4) });
    expect(best).toEqual([1, 0, 0, 0].map((each) => expect.closeTo(each, 6)));
    expect(weights).toEqual([0.49, 0.49, 0.01, 0.01].map((each) => expect.closeTo(each, 6)));
    expect(() => stats.topTwoThompson(arms, { random: seeded(4), floor: 0.25 })).toThrow(RangeError);
  });

  it('sum to one and keep to the floor, whatever is known', () => {
    const arm = fc.record({ mean: value, se: fc.double({ min: 0, max: 3, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(arm, { minLength: 1, maxLength: 6 }), fc.nat(), (arms, seed) => {
        const { weights } = stats.topTwoThompson(arms, { random: seeded(seed), draws: 50, floor: 0.05 });
        expect(mean(weights) * arms.length).toBeCloseTo(1, 9);
        for (const weight of weights) expect(weight).toBeGreaterThanOrEqual(0.05 - 1e-12);
      }),
    );
  });
});

it('keeps a negative covariance of two values whose sums happen to be equal', () => {
  // y: 0, 2; x: 2, 0. What was high before is low after: θ = −1, and nothing varies any more.
  const { theta, arms } = stats.cuped([{ n: 2, y: 2, yy: 4, x: 2, xx: 4, xy: 0 }]);
  expect(theta).toBe(-1);
  expect(arms).toEqual([{ estimate: 1, variance: 0, n: 2 }]);
});
