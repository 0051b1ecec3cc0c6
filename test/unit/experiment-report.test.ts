// A report's figures from rows: the published vectors, and what stands in the report beside them.

import { describe, expect, it } from 'vitest';
import type { AnalysedExperiment } from '../../src/rollouts/index.ts';
import type { MetricSpec } from '../../src/definitions/index.ts';
import {
  EXPERIMENT,
  type ExperimentRows,
  type LoggedOutcome,
  type LoggedRow,
  onePhase,
  reportOf,
  START,
} from '../support/experiment-rows.ts';

const outcome = (over: Partial<MetricSpec> = {}): MetricSpec => ({
  name: 'total',
  parts: [{ values: { kind: 'outcome', endpoint: 'ep' }, aggregate: 'sum' }],
  direction: 'up',
  worth: 0.1,
  ...over,
});

const experiment = (over: Partial<AnalysedExperiment> = {}): AnalysedExperiment => ({
  name: EXPERIMENT,
  unit: ['uid'],
  control: 'control',
  metrics: { goal: [outcome()], secondary: [], guardrail: [] },
  plan: { kind: 'split', alpha: 0.05, correction: 'holm' },
  phases: [onePhase()],
  ...over,
});

/** Values whose sum and sum of squares are these: zeros, and as many of two values as it takes. */
function valuesOf(n: number, sum: number, squares: number): number[] {
  // m values around sum/m, half of them d above and half d below: m·(sum/m)² + m·d² = squares.
  const m = 2 * Math.ceil(sum ** 2 / squares / 2);
  const d = Math.sqrt(squares / m - (sum / m) ** 2);
  return Array.from({ length: n }, (_, i) => (i >= m ? 0 : sum / m + (i % 2 === 0 ? d : -d)));
}

function rowsOf(byArm: Readonly<Record<string, readonly number[]>>): ExperimentRows {
  const rows: LoggedRow[] = [];
  const outcomes: LoggedOutcome[] = [];
  for (const [arm, values] of Object.entries(byArm)) {
    values.forEach((value, i) => {
      const id = `${arm}-${i}`;
      rows.push({ id, unit: id, atMicros: START + i, via: 'experiment', arm, phase: 1, endpoint: 'ep', outputs: {} });
      if (value !== 0) outcomes.push({ id, value, atMicros: START + i + 1, recordedMicros: START + i + 2 });
    });
  }
  return { rows, outcomes };
}

const published = rowsOf({
  control: valuesOf(3407, 1396.87, 52377.9767),
  treatment: valuesOf(3461, 2422.7, 134698.29),
});

const publishedReport = reportOf(published, experiment());

describe('the report of published figures', () => {
  it('has their relative lift and absolute difference', async () => {
    const report = await publishedReport;
    const [comparison] = report.metrics[0]?.comparisons ?? [];
    expect(report.arms.map(({ name, units }) => [name, units])).toEqual([
      ['control', 3407],
      ['treatment', 3461],
    ]);
    expect(comparison?.arm).toBe('treatment');
    expect(comparison?.relative?.estimate).toBeCloseTo(0.70732, 5);
    expect(comparison?.relative?.se).toBeCloseTo(0.37879, 5);
    expect(comparison?.relative?.p).toBeCloseTo(0.06191, 5);
    expect(comparison?.relative?.fixed[0]).toBeCloseTo(-0.03526, 4);
    expect(comparison?.relative?.fixed[1]).toBeCloseTo(1.44989, 4);
    expect(comparison?.difference.estimate).toBeCloseTo(0.29, 2);
    expect(comparison?.difference.p).toBeCloseTo(0.02016, 5);
  });

  it('has always-valid intervals, by the change that is worth knowing, around those of a fixed horizon', async () => {
    const report = await publishedReport;
    const difference = report.metrics[0]?.comparisons[0]?.difference;
    const { estimate, se } = difference as { estimate: number; se: number };
    const tau = (0.1 * 1396.87) / 3407;
    const q = (tau / se) ** 2;
    const half = se * Math.sqrt(2 * (1 + 1 / q) * Math.log(Math.sqrt(1 + q) / 0.05));
    expect(difference?.always[0]).toBeCloseTo(estimate - half, 9);
    expect(difference?.always[1]).toBeCloseTo(estimate + half, 9);
    expect(difference?.always[0]).toBeLessThan(difference?.fixed[0] as number);
    expect(difference?.always[1]).toBeGreaterThan(difference?.fixed[1] as number);
  });

  it('tests the split by units', async () => {
    const { srm } = await publishedReport;
    const half = (3407 + 3461) / 2;
    const chi = (3407 - half) ** 2 / half + (3461 - half) ** 2 / half;
    expect(srm.p).toBeGreaterThan(0.5);
    expect(chi).toBeCloseTo(0.4246, 3);
    expect(srm.e).toBeLessThan(1);
    expect(srm.is_mismatch).toBe(false);
  });
});

describe('the relative lift of heavy values', () => {
  // By chance a few units of the control have most of the value; the treatment has none such, and so a small error.
  const values = (heavy: number): number[] =>
    Array.from({ length: 1000 }, (_, i) => (i < heavy ? 100 : 1 + (i % 3) / 10));
  const rows = rowsOf({ control: values(12), treatment: values(0) });

  it('is told to be approximate, and decides nothing', async () => {
    const report = await reportOf(rows, experiment());
    const [comparison] = report.metrics[0]?.comparisons ?? [];
    expect(comparison?.relative?.always[1]).toBeLessThan(0);
    expect(comparison?.difference.always[1]).toBeGreaterThan(0);
    expect(comparison?.verdict).toBe('undecided');
    expect(comparison?.relative?.always_is_approximate).toBe(true);
    expect(report.notes).toContain(
      'The relative lift of total in treatment looks surer than it is: a few units have most of the value. Go by the difference, as the verdict does, or winsorise the metric.',
    );
  });

  it('holds as the difference does where values are winsorised, or are shares of units', async () => {
    const cut = await reportOf(
      rows,
      experiment({ metrics: { goal: [outcome({ winsorize: { upper: 0.98 } })], secondary: [], guardrail: [] } }),
    );
    expect(cut.metrics[0]?.comparisons[0]?.relative?.always_is_approximate).toBe(false);
    expect(cut.notes.join()).not.toContain('surer');
    const any = outcome({ parts: [{ values: { kind: 'outcome', endpoint: 'ep' }, aggregate: 'any' }] });
    const share = await reportOf(rows, experiment({ metrics: { goal: [any], secondary: [], guardrail: [] } }));
    expect(share.metrics[0]?.comparisons[0]?.relative?.always_is_approximate).toBe(false);
  });
});
