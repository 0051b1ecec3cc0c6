// Metrics against formulas that can be checked by eye, and against figures of scikit-learn's own documentation.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binaryMetrics, calibrationBins, evaluateRows, regressionMetrics, rocCurve } from '../../src/models/index.ts';

const rowsOf = (scores: readonly number[], labels: readonly number[]) => ({
  scores: Float64Array.from(scores),
  labels: Float64Array.from(labels),
});
type Pairs = readonly (readonly [number, number])[];
const ofPairs = (pairs: Pairs) =>
  rowsOf(
    pairs.map(([score]) => score),
    pairs.map(([, label]) => label),
  );

/** Probabilities with many ties, and the two ends. */
const score = fc.oneof(fc.constantFrom(0, 0.1, 0.3, 0.5, 0.7, 1), fc.double({ min: 0, max: 1, noNaN: true }));
const binary = fc.array(fc.tuple(score, fc.constantFrom(0, 1)), { minLength: 1, maxLength: 60 });
const whole = fc.integer({ min: -50, max: 50 });
const numbers = fc.array(fc.tuple(whole, whole), { minLength: 2, maxLength: 60 });
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
/** Each with how many digits it has to agree in. */
const near = (made: object, naive: Readonly<Record<string, [number, number]>>) => {
  for (const [name, [value, digits]] of Object.entries(naive))
    expect((made as Record<string, number>)[name], name).toBeCloseTo(value, digits);
};

describe('metrics of a classifier', () => {
  it('are those of the naive formulas', () => {
    fc.assert(
      fc.property(binary, (pairs) => {
        const made = binaryMetrics(ofPairs(pairs));
        const held = (p: number) => Math.min(Math.max(p, Number.EPSILON), 1 - Number.EPSILON);
        near(made, {
          log_loss: [mean(pairs.map(([p, y]) => -Math.log(y === 1 ? held(p) : 1 - held(p)))), 9],
          brier: [mean(pairs.map(([p, y]) => (p - y) ** 2)), 12],
          accuracy: [mean(pairs.map(([p, y]) => Number(Number(p > 0.5) === y))), 12],
        });
        const of = (which: number) => pairs.filter(([, y]) => y === which).map(([p]) => p);
        const wins = of(1).flatMap((a) => of(0).map((b) => (a > b ? 1 : a === b ? 0.5 : 0)));
        if (wins.length === 0) expect(made.auc).toBeNull();
        else expect(made.auc).toBeCloseTo(mean(wins), 12);
      }),
    );
  });

  it('give what the documentation of scikit-learn gives', () => {
    // roc_auc_score and roc_curve: y_true [1, 1, 2, 2], scores [0.1, 0.4, 0.35, 0.8].
    const rows = rowsOf([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]);
    expect(binaryMetrics(rows).auc).toBe(0.75);
    const roc = rocCurve(rows);
    expect(roc.map((point) => point.false_positive_rate)).toEqual([0, 0, 0.5, 0.5, 1]);
    expect(roc.map((point) => point.true_positive_rate)).toEqual([0, 0.5, 0.5, 1, 1]);
    // log_loss: spam, ham, ham, spam with [.1, .9], [.9, .1], [.8, .2], [.35, .65].
    expect(binaryMetrics(rowsOf([0.9, 0.1, 0.2, 0.65], [1, 0, 0, 1])).log_loss).toBeCloseTo(0.21616, 5);
    // brier_score_loss: [0, 1, 1, 0] with [0.1, 0.9, 0.8, 0.3].
    expect(binaryMetrics(rowsOf([0.1, 0.9, 0.8, 0.3], [0, 1, 1, 0])).brier).toBeCloseTo(0.0375, 12);
  });

  it('know no AUC of one class, and nothing of no rows', () => {
    expect(binaryMetrics(rowsOf([0.5], [1])).auc).toBeNull();
    expect(rocCurve(rowsOf([0.5], [1]))).toEqual([]);
    expect(Object.values(binaryMetrics(rowsOf([], [])))).toEqual([null, null, null, null, null]);
  });

  it('calibration counts each row once, edges belonging to the bin below', () => {
    fc.assert(
      fc.property(binary, (pairs) => {
        const bins = calibrationBins(ofPairs(pairs));
        const naive = Array.from({ length: 10 }, (_, at) =>
          pairs.filter(([p]) => (p > at / 10 || (at === 0 && p === 0)) && p <= (at + 1) / 10),
        );
        const expected = naive.flatMap((own, at) => (own.length === 0 ? [] : [[at / 10, own.length]]));
        expect(bins.map(({ from, rows }) => [from, rows])).toEqual(expected);
        for (const bin of bins) {
          const own = naive[Math.round(bin.from * 10)] ?? [];
          expect(bin.mean_score).toBeCloseTo(mean(own.map(([p]) => p)), 12);
          expect(bin.positive_rate).toBeCloseTo(mean(own.map(([, y]) => y)), 12);
        }
      }),
    );
  });
});

describe('metrics of a regression', () => {
  it('are those of the naive formulas', () => {
    fc.assert(
      fc.property(numbers, (pairs) => {
        const made = regressionMetrics(ofPairs(pairs));
        const errors = pairs.map(([p, y]) => y - p);
        const lost = mean(errors.map((error) => error ** 2));
        near(made, { mae: [mean(errors.map(Math.abs)), 9], rmse: [Math.sqrt(lost), 9] });
        const middle = mean(pairs.map(([, y]) => y));
        const spread = mean(pairs.map(([, y]) => (y - middle) ** 2));
        if (spread > 1e-9) expect(made.r2).toBeCloseTo(1 - lost / spread, 6);
        else expect(made.r2).toBe(lost === 0 ? 1 : 0);
      }),
    );
  });

  it('give what the documentation of scikit-learn gives', () => {
    // mean_absolute_error and r2_score: [3, -0.5, 2, 7] told as [2.5, 0.0, 2, 8].
    const made = regressionMetrics(rowsOf([2.5, 0, 2, 8], [3, -0.5, 2, 7]));
    near(made, { mae: [0.5, 12], r2: [0.9486, 4], rmse: [0.6124, 4] });
    expect(regressionMetrics(rowsOf([1], [2])).r2).toBeNull();
  });
});

describe('slices and comparisons', () => {
  it('the largest fifty values, then the rest together; every row is in one', () => {
    const values = Array.from({ length: 60 }, (_, at) => Array.from({ length: 61 - at }, () => `v${at}`)).flat();
    const labels = Float64Array.from(values, (_, row) => row % 2);
    const scores = Float64Array.from(values, (_, row) => (row % 7) / 7);
    const { slices } = evaluateRows({ task: 'binary', labels, scores, slices: { group: values } });
    const group = slices['group'] ?? [];
    expect(group.map(({ value }) => value)).toEqual([...Array.from({ length: 50 }, (_, at) => `v${at}`), null]);
    expect(group.at(-1)).toMatchObject({ isOther: true, rows: 11 + 10 + 9 + 8 + 7 + 6 + 5 + 4 + 3 + 2 });
    expect(group.reduce((sum, { rows }) => sum + rows, 0)).toBe(values.length);
    const first = { scores: scores.slice(0, 61), labels: labels.slice(0, 61) };
    expect(group[0]?.metrics).toEqual(binaryMetrics(first));
  });

  it('says by each metric which is better, less being better of losses', () => {
    const labels = Float64Array.from([0, 0, 1, 1]);
    const given = { labels, scores: Float64Array.from([0.1, 0.2, 0.8, 0.9]), slices: { half: ['a', 'a', null, null] } };
    const against = Float64Array.from([0.4, 0.6, 0.5, 0.7]);
    const made = evaluateRows({ ...given, task: 'binary', against });
    expect(made.against?.better).toEqual({ auc: true, log_loss: true, accuracy: true, brier: true });
    expect(made.against?.differences['auc']).toBe(0.25);
    // One class alone: no AUC, and by nothing one is not better.
    const half = { value: 'a', against: { differences: { auc: null }, better: { auc: false } } };
    expect(made.slices['half']).toMatchObject([{ value: null }, half]);
    const same = evaluateRows({ ...given, task: 'binary', against: given.scores });
    expect(Object.values(same.against?.better ?? {})).toEqual([false, false, false, false]);
    const { better } = evaluateRows({ ...given, task: 'regression', against }).against ?? {};
    expect(better).toEqual({ mae: true, rmse: true, r2: true });
  });
});
