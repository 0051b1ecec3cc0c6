// What tests that are looked at all the time promise beside their figures: memory of a breach, sums that come in any
// split, numbers that stay numbers, and refusals of what can't be.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createEventTest,
  createLimitTest,
  type GroupSums,
  msprt,
  msprtP,
  srmE,
  stratifiedDifference,
} from '../../src/statistics/index.ts';

describe('the test of events', () => {
  it('remembers a breach, though the evidence sinks again', () => {
    const test = createEventTest({ thetas: 'rise', alpha: 0.05 });
    test.add(8, 8, 0.5);
    expect(test.breached()).toBe(true);
    test.add(500, 200, 0.5);
    expect(test.e()).toBeLessThan(1);
    expect(test.breached()).toBe(true);
  });

  it('says the same of minutes one by one and together, where the share stood', () => {
    const minute = fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => [Math.max(a, b), Math.min(a, b)] as const);
    fc.assert(
      fc.property(fc.array(minute), fc.double({ min: 0.001, max: 0.999, noNaN: true }), (minutes, w) => {
        const one = createEventTest({ thetas: 'rise', alpha: 0.01 });
        const whole = createEventTest({ thetas: 'rise', alpha: 0.01 });
        for (const [k, kc] of minutes) one.add(k, kc, w);
        const sum = (at: 0 | 1) => minutes.reduce((total, minute) => total + minute[at], 0);
        whole.add(sum(0), sum(1), w);
        expect(one.lnE()).toBeCloseTo(whole.lnE(), 6);
      }),
    );
  });

  it('is a bet whose mean is one: over all ways that events can fall, by their chances', () => {
    for (const [thetas, tolerance] of [
      ['rise', 0],
      ['rise', 0.2],
      ['drop', 0],
      ['drop', -0.1],
    ] as const) {
      const w = 0.05;
      const share = (w * (1 + tolerance)) / (1 - w + w * (1 + tolerance));
      let mean = 0;
      let chance = (1 - share) ** 10;
      for (let kc = 0; kc <= 10; kc++) {
        const test = createEventTest({ thetas, tolerance, alpha: 0.05 });
        test.add(10, kc, w);
        mean += chance * test.e();
        chance *= ((10 - kc) / (kc + 1)) * (share / (1 - share));
      }
      expect(mean).toBeCloseTo(1, 10);
    }
  });

  // n events, all the candidate's, multiply the bet e^θ by (e^θ / (1 − w + w·e^θ))^n; none of them, by (1 / …)^n.
  it.each([
    ['rise', [1.25, 1.5, 2, 3, 5, 10, 30, 100, 300]],
    ['drop', [0.9, 0.8, 0.67, 0.5, 0.33, 0.1]],
  ] as const)('of a %s is the mean of the bets on %j', (thetas, bets) => {
    for (const n of [1, 40]) {
      const test = createEventTest({ thetas, alpha: 0.05 });
      test.add(n, thetas === 'drop' ? 0 : n, 0.001);
      const part = (bet: number): number => ((thetas === 'drop' ? 1 : bet) / (0.999 + 0.001 * bet)) ** n;
      const mean = bets.reduce((sum, bet) => sum + part(bet), 0) / bets.length;
      expect(test.lnE()).toBeCloseTo(Math.log(mean), 10);
    }
  });

  it('stays a number, whatever evidence there is', () => {
    const test = createEventTest({ thetas: 'rise', alpha: 0.05 });
    test.add(1e6, 1e6, 0.01);
    expect(test.e()).toBe(Number.MAX_VALUE);
    expect(JSON.stringify(test.e())).not.toBe('null');
    const drop = createEventTest({ thetas: 'drop', alpha: 0.05 });
    drop.add(1e6, 1e6, 0.01);
    expect(drop.e()).toBe(0);
    expect(drop.lnE()).toBeLessThan(-1000);
  });

  it('refuses counts and shares that can’t be', () => {
    const test = createEventTest({ thetas: 'rise', alpha: 0.05 });
    expect(() => test.add(1, 2, 0.5)).toThrow(RangeError);
    expect(() => test.add(1, 1, 1.5)).toThrow(RangeError);
    expect(() => test.add(1, 1, Number.NaN)).toThrow(RangeError);
    expect(() => createEventTest({ thetas: 'drop', alpha: 0 })).toThrow(RangeError);
    expect(() => createEventTest({ thetas: 'drop', alpha: 0.05, tolerance: -1 })).toThrow(RangeError);
  });
});

describe('the test against a limit', () => {
  it('is a bet whose mean is at most one where each unit stops at its first event, however alike its rows are', () => {
    // Units of up to m requests whose own rates are far apart, with the limit as their mean: all ways, by their chances.
    const limit = 0.02;
    for (const requests of [1, 5, 100]) {
      for (const rates of [[limit], [0, 2 * limit], [0, 0, 0, 4 * limit], [...new Array<number>(49).fill(0), 1]]) {
        let mean = 0;
        for (const rate of rates) {
          const none = (1 - rate) ** requests;
          for (const [events, chance] of [none, 1 - none].entries()) {
            const test = createLimitTest({ limit, thetas: 'rise', alpha: 0.05 });
            test.add(events, requests);
            mean += (chance * test.e()) / rates.length;
          }
        }
        expect(mean).toBeLessThanOrEqual(1 + 1e-9);
      }
    }
  });

  it('refuses a limit and counts that can’t be', () => {
    expect(() => createLimitTest({ limit: 0, alpha: 0.05 })).toThrow(RangeError);
    const test = createLimitTest({ limit: 0.1, alpha: 0.05 });
    expect(() => test.add(3, 2)).toThrow(RangeError);
  });
});

describe('the stratified difference', () => {
  /** Of two groups: a sum and how many there are, each. */
  const sums = (y1: number, n1: number, y2: number, n2: number): GroupSums => ({ y: [y1, y2], n: [n1, n2] });

  const step = (candidate: GroupSums, base: GroupSums) => ({ candidate, base });

  it('is the weighted difference of rates, with the error of groups', () => {
    const told = stratifiedDifference([
      step(sums(2, 10, 4, 10), sums(10, 100, 30, 100)),
      step(sums(5, 50, 10, 50), sums(5, 25, 0, 25)),
    ]);
    // v: 20·200/220 = 18.18…, 100·50/150 = 33.33…
    const v = [18.1818181818 / 51.5151515152, 33.3333333333 / 51.5151515152] as const;
    const difference = v[0] * (0.3 - 0.2) + v[1] * (0.15 - 0.1);
    expect(told?.difference).toBeCloseTo(difference, 9);
    const first = v[0] * ((2 - 3) / 20 - (10 - 20) / 200) + v[1] * ((5 - 7.5) / 100 - (5 - 2.5) / 50);
    const second = v[0] * ((4 - 3) / 20 - (30 - 20) / 200) + v[1] * ((10 - 7.5) / 100 - (0 - 2.5) / 50);
    expect(told?.se).toBeCloseTo(Math.sqrt(2 * (first ** 2 + second ** 2)), 9);
    expect((told?.candidate ?? 0) - (told?.base ?? 0)).toBeCloseTo(difference, 9);
    // The base's spread in the candidate's place is less than the candidate's own.
    expect(told?.seByBase).toBe(told?.se);
  });

  it('takes the candidate’s values to spread at least as the base’s do', () => {
    // The same mean and number of rows: one arm has all of it in one group.
    const even = sums(10, 100, 10, 100);
    const heavy = sums(20, 100, 0, 100);
    const lucky = stratifiedDifference([step(even, heavy)]);
    expect(lucky?.seByBase).toBeCloseTo(Math.SQRT2 * (lucky?.se ?? 0), 9);
    // Of a tenth of the rows, a mean's error is √10 times as great.
    const few = stratifiedDifference([step(sums(1, 10, 1, 10), heavy)]);
    expect(few?.seByBase).toBeCloseTo(Math.sqrt(11) * (few?.se ?? 0), 9);
    const unlucky = stratifiedDifference([step(heavy, even)]);
    expect(unlucky?.seByBase).toBe(unlucky?.se);
  });

  it('sees no difference where the base rate moves between steps while the weights do', () => {
    // Pooled, the candidate's rate would be .19 and the base's .11.
    const told = stratifiedDifference([
      step(sums(5, 50, 5, 50), sums(45, 450, 45, 450)),
      step(sums(90, 450, 90, 450), sums(10, 50, 10, 50)),
    ]);
    expect(told?.difference).toBeCloseTo(0, 12);
  });

  it('leaves out a step that one arm has nothing of, and says nothing where that is each', () => {
    const some = sums(1, 5, 2, 5);
    const none = sums(0, 0, 0, 0);
    const one = step(some, sums(3, 8, 1, 8));
    expect(stratifiedDifference([one, step(some, none)])).toEqual(stratifiedDifference([one]));
    expect(stratifiedDifference([step(none, some)])).toBeUndefined();
    expect(stratifiedDifference([])).toBeUndefined();
  });
});

describe('the mixture’s interval', () => {
  it('leaves zero out exactly where its p is below alpha', () => {
    const positive = fc.double({ min: 1e-3, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        positive,
        positive,
        positive,
        fc.double({ min: 0.001, max: 0.2, noNaN: true }),
        (d, se, tau, alpha) => {
          const { lo } = msprt({ difference: d, se, tau, alpha });
          const p = msprtP({ difference: d, se, tau });
          if (Math.abs(p / alpha - 1) > 1e-9) expect(lo > 0).toBe(p < alpha);
        },
      ),
    );
  });

  it('has no width where nothing varies', () => {
    expect(msprt({ difference: 1, se: 0, tau: 0.1, alpha: 0.05 })).toEqual({ lo: 1, hi: 1, halfWidth: 0 });
    expect(msprtP({ difference: 0, se: 0, tau: 0.1 })).toBe(1);
  });
});

describe('the sample ratio', () => {
  it('finds an arm that gets nothing while the other one has traffic', () => {
    expect(srmE([{ counts: [100, 0], weights: [95, 5] }])).toBeLessThan(1000);
    expect(srmE([{ counts: [400, 0], weights: [95, 5] }])).toBeGreaterThan(1000);
  });

  it('is not moved by a phase in which nothing came', () => {
    const phase = { counts: [40, 60], weights: [50, 50] };
    expect(srmE([phase, { counts: [0, 0], weights: [1, 99] }])).toBeCloseTo(srmE([phase]), 9);
  });
});
