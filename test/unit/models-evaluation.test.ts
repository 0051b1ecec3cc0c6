// Metrics against formulas that can be checked by eye, and against figures of scikit-learn's own documentation.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binaryMetrics, calibrationBins, evaluateRows, regressionMetrics, rocCurve } from '../../src/models/index.ts';

const rowsOf = (pairs: readonly (readonly [number, number])[]) => ({
  scores: Float64Array.from(pairs, ([score]) => score),
  labels: Float64Array.from(pairs, ([, label]) => label),
});

/** Probabilities with many ties, and the two ends. */
const score = fc.oneof(fc.constantFrom(0, 0.1, 0.3, 0.5, 0.7, 1), fc.double({ min: 0, max: 1, noNaN: true }));
const binary = fc.array(fc.tuple(score, fc.constantFrom(0, 1)), { minLength: 1, maxLength: 60 });
const numbers = fc.array(
  fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -50, max: 50 })) as fc.Arbitrary<[number, number]>,
  { minLength: 2, maxLength: 60 },
);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('metrics of a classifier', () => {
  it('are those of the naive formulas', () => {
    fc.assert(
      fc.property(binary, (pairs) => {
        const made = binaryMetrics(rowsOf(pairs));
        const held = (p: number) => Math.min(Math.max(p, Number.EPSILON), 1 - Number.EPSILON);
        expect(made.log_loss).toBeCloseTo(mean(pairs.map(([p, y]) => -Math.log(y === 1 ? held(p) : 1 - held(p)))), 9);
        expect(made.brier).toBeCloseTo(mean(pairs.map(([p, y]) => (p - y) ** 2)), 12);
        expect(made.accuracy).toBeCloseTo(mean(pairs.map(([p, y]) => Number(Number(p > 0.5) === y))), 12);
        const [yes, no] = [1, 0].map((which) => pairs.filter(([, y]) => y === which).map(([p]) => p)) as [
          number[],
          number[],
        ];
        const wins = yes.flatMap((a) => no.map((b) => (a > b ? 1 : a === b ? 0.5 : 0)));
        if (wins.length === 0) expect(made.auc).toBeNull();
        else expect(made.auc).toBeCloseTo(mean(wins), 12);
      }),
    );
  });

  it('give what the documentation of scikit-learn gives', () => {
    // roc_auc_score and roc_curve: y_true [1, 1, 2, 2], scores [0.1, 0.4, 0.35, 0.8].
    const rows = rowsOf([
      [0.1, 0],
      [0.4, 0],
      [0.35, 1],
      [0.8, 1],
    ]);
    expect(binaryMetrics(rows).auc).toBe(0.75);
    expect(rocCurve(rows).map((point) => [point.false_positive_rate, point.true_positive_rate])).toEqual([
      [0, 0],
      [0, 0.5],
      [0.5, 0.5],
      [0.5, 1],
      [1, 1],
    ]);
    // log_loss: spam, ham, ham, spam with [.1, .9], [.9, .1], [.8, .2], [.35, .65].
    const mails = rowsOf([
      [0.9, 1],
      [0.1, 0],
      [0.2, 0],
      [0.65, 1],
    ]);
    expect(binaryMetrics(mails).log_loss).toBeCloseTo(0.21616, 5);
    // brier_score_loss: [0, 1, 1, 0] with [0.1, 0.9, 0.8, 0.3].
    const brier = rowsOf([
      [0.1, 0],
      [0.9, 1],
      [0.8, 1],
      [0.3, 0],
    ]);
    expect(binaryMetrics(brier).brier).toBeCloseTo(0.0375, 12);
  });

  it('know no AUC of one class, and nothing of no rows', () => {
    expect(binaryMetrics(rowsOf([[0.5, 1]])).auc).toBeNull();
    expect(rocCurve(rowsOf([[0.5, 1]]))).toEqual([]);
    expect(Object.values(binaryMetrics(rowsOf([])))).toEqual([null, null, null, null, null]);
  });

  it('calibration counts each row once, edges belonging to the bin below', () => {
    fc.assert(
      fc.property(binary, (pairs) => {
        const bins = calibrationBins(rowsOf(pairs));
        const naive = Array.from({ length: 10 }, (_, at) =>
          pairs.filter(([p]) => (p > at / 10 || (at === 0 && p === 0)) && p <= (at + 1) / 10),
        );
        expect(bins.map(({ from, rows }) => [from, rows])).toEqual(
          naive.flatMap((own, at) => (own.length === 0 ? [] : [[at / 10, own.length]])),
        );
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
        const made = regressionMetrics(rowsOf(pairs));
        const errors = pairs.map(([p, y]) => y - p);
        expect(made.mae).toBeCloseTo(mean(errors.map(Math.abs)), 9);
        expect(made.rmse).toBeCloseTo(Math.sqrt(mean(errors.map((error) => error ** 2))), 9);
        const middle = mean(pairs.map(([, y]) => y));
        const spread = mean(pairs.map(([, y]) => (y - middle) ** 2));
        const lost = mean(errors.map((error) => error ** 2));
        if (spread > 1e-9) expect(made.r2).toBeCloseTo(1 - lost / spread, 6);
        else expect(made.r2).toBe(lost === 0 ? 1 : 0);
      }),
    );
  });

  it('give what the documentation of scikit-learn gives', () => {
    // mean_absolute_error and r2_score: [3, -0.5, 2, 7] told as [2.5, 0.0, 2, 8].
    const rows = rowsOf([
      [2.5, 3],
      [0, -0.5],
      [2, 2],
      [8, 7],
    ]);
    expect(regressionMetrics(rows).mae).toBe(0.5);
    expect(regressionMetrics(rows).r2).toBeCloseTo(0.9486, 4);
    expect(regressionMetrics(rows).rmse).toBeCloseTo(0.6124, 4);
    expect(regressionMetrics(rowsOf([[1, 2]])).r2).toBeNull();
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
    const first = values.flatMap((value, row) => (value === 'v0' ? [row] : []));
    expect(group[0]?.metrics).toEqual(binaryMetrics(rowsOf(first.map((row) => [scores[row] ?? 0, labels[row] ?? 0]))));
  });

  it('says by each metric which is better, less being better of losses', () => {
    const labels = Float64Array.from([0, 0, 1, 1]);
    const given = { labels, scores: Float64Array.from([0.1, 0.2, 0.8, 0.9]), slices: { half: ['a', 'a', null, null] } };
    const against = Float64Array.from([0.4, 0.6, 0.5, 0.7]);
    const made = evaluateRows({ ...given, task: 'binary', against });
    expect(made.against?.better).toEqual({ auc: true, log_loss: true, accuracy: true, brier: true });
    expect(made.against?.differences['auc']).toBe(0.25);
    const [nobody, half] = made.slices['half'] ?? [];
    expect([nobody?.value, half?.value]).toEqual([null, 'a']);
    // One class alone: no AUC, and by nothing one is not better.
    expect(half?.against?.differences['auc']).toBeNull();
    expect(half?.against?.better['auc']).toBe(false);
    const same = evaluateRows({ ...given, task: 'binary', against: given.scores });
    expect(Object.values(same.against?.better ?? {})).toEqual([false, false, false, false]);
    expect(evaluateRows({ ...given, task: 'regression', against }).against?.better).toEqual({
      mae: true,
      rmse: true,
      r2: true,
    });
  });
});
