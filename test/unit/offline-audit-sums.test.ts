// What the audit computes of floats is what the window algebra gives, and what it isn't, shows.

import { describe, expect, it } from 'vitest';
import { evaluateView, type Fact, visibleFacts } from '../../src/offline/audit/evaluate-view.ts';
import type { ReadPlan } from '../../src/offline/plan.ts';
import { windowed } from '../support/offline-world.ts';
import { rationalSum, rationalVariance } from '../support/rational.ts';
import { aggregatorOf, folded, windowSource, windowView } from '../support/window-view.ts';

const float64 = { kind: 'float64' } as const;
const OPS = ['sum', 'mean', 'variance', 'stddev'] as const;

const source = windowSource({ c: float64 });
const features = OPS.map((op) => windowed(op, float64, op, 'c', 1000, 10));
const view = windowView(features);
const read: ReadPlan = { view, keys: [], boundary: 'at', schedule: null, latest: [], windows: OPS.map((_, i) => i) };

/** One value each 7 microseconds. */
function audited(values: readonly number[]): number[] {
  const facts = values.map(
    (c, i): Fact => ({ row: { c }, eventMicros: i * 7, knownMicros: i * 7, writer: -1, offset: -1, loggedMicros: -1 }),
  );
  const evaluated = evaluateView(read, source, visibleFacts(read, source, facts, 999), 999);
  // The features are all floats of at least two values.
  return OPS.map((_, i) => evaluated.get(i) as number);
}

function served(values: readonly number[]): number[] {
  const aggregator = aggregatorOf({ c: float64 }, features);
  const events = values.map((c, i) => ({ eventMicros: i * 7, knownMicros: i * 7, values: { c } }));
  const state = folded(aggregator, events);
  return OPS.map((_, feature) => aggregator.value(state, feature, 999) as number);
}

const LISTS: readonly (readonly [string, readonly number[]])[] = [
  ['large numbers that cancel out', [1e16, 1, -1e16]],
  ['numbers of three sizes that cancel out', [1e32, 1e16, 1, -1e16, -1e32, 1, 1e-8]],
  ['neighbours far from zero', [1e16, 1e16 + 2, 1e16 + 4, 1e16 + 2]],
  ['times of the day in microseconds since 1970', [1.79e15 + 3, 1.79e15 + 11, 1.79e15 + 6.5]],
  ['tenths', [0.1, 0.2, 0.3, 0.1, 0.7]],
];

describe.each(LISTS)('the audit of %s', (_, values) => {
  it('agrees with what is served, and with the truth', () => {
    const [sum, mean, variance, stddev] = audited(values) as [number, number, number, number];
    const [servedSum, servedMean, servedVariance, servedStddev] = served(values) as [number, number, number, number];
    expect(sum).toBe(rationalSum(values));
    expect(servedSum).toBe(sum);
    expect(mean).toBe(sum / values.length);
    expect(servedMean).toBe(mean);
    const truth = rationalVariance(values) as number;
    for (const one of [variance, servedVariance]) expect(Math.abs(one / truth - 1)).toBeLessThan(1e-14);
    for (const one of [stddev, servedStddev]) expect(Math.abs(one / Math.sqrt(truth) - 1)).toBeLessThan(1e-14);
  });

  it('shows a value that is missing', () => {
    const [sum, without] = [audited(values)[0] as number, served(values.toSpliced(1, 1))[0] as number];
    expect(Math.abs(sum - without)).toBeGreaterThan(1e-9 * Math.max(1, Math.abs(sum), Math.abs(without)));
  });
});

describe('at the ends of the range', () => {
  it('a sum passes through what no double holds', () => {
    const values = [1e308, 1e308, 1e308, -1e308, -1e308, -1e308, 7];
    expect(audited(values).slice(0, 2)).toEqual([7, 1]);
    expect(served(values).slice(0, 2)).toEqual([7, 1]);
  });

  it('a spread past the greatest double is infinite, and equal numbers have none', () => {
    for (const [values, variance] of [
      [[1.7e308, -1.7e308, 1], Infinity],
      [[1e200, -1e200], Infinity],
      [[1.7e308, 1.7e308, 1.7e308], 0],
    ] as const) {
      expect(audited(values)[2]).toBe(variance);
      expect(served(values)[2]).toBe(variance);
      expect(served(values.toReversed())[2]).toBe(variance);
    }
  });

  it('infinities and NaN give what arithmetic has', () => {
    for (const values of [
      [1, Infinity, 2],
      [Infinity, 3, -Infinity],
      [NaN, 1],
      [1, 2, NaN],
    ]) {
      expect(served(values)).toEqual(audited(values));
      expect(audited(values)[2]).toBeNaN();
    }
  });
});
