// A report's figures from rows: the published vectors, and what stands in the report beside them.

import { describe, expect, it } from 'vitest';
import type { AnalysedExperiment, ExperimentReport } from '../../src/rollouts/index.ts';
import type { MetricSpec } from '../../src/definitions/index.ts';
import {
  EXPERIMENT,
  type ExperimentRows,
  type LoggedOutcome,
  type LoggedRow,
  onePhase,
  reportOf,
  START,
  useAnalyses,
} from '../support/experiment-rows.ts';

useAnalyses();

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

const goalOnly = (goal: MetricSpec) => experiment({ metrics: { goal: [goal], secondary: [], guardrail: [] } });
/** The first metric's first comparison. */
const comparisonOf = ({ metrics }: ExperimentReport) => metrics[0]?.comparisons[0];
const NO_VERDICT = { verdict: 'undecided', difference: { always: [null, null], always_p: null } };

const published = rowsOf({
  control: valuesOf(3407, 1396.87, 52377.9767),
  treatment: valuesOf(3461, 2422.7, 134698.29),
});

const publishedReport = reportOf(published, experiment());

describe('the report of published figures', () => {
  it('has their relative lift and absolute difference', async () => {
    const report = await publishedReport;
    const comparison = comparisonOf(report);
    expect(report.arms.map(({ name, units }) => `${name} ${units}`)).toEqual(['control 3407', 'treatment 3461']);
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
    const difference = comparisonOf(report)?.difference;
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
    const comparison = comparisonOf(report);
    expect(comparison?.relative?.always[1]).toBeLessThan(0);
    expect(comparison?.difference.always[1]).toBeGreaterThan(0);
    expect(comparison?.verdict).toBe('undecided');
    expect(comparison?.relative?.always_is_approximate).toBe(true);
    expect(report.notes).toContain(
      'The relative lift of total in treatment looks surer than it is: a few units have most of the value. Go by the difference, as the verdict does, or winsorise the metric.',
    );
  });

  it('holds as the difference does where values are winsorised, or are shares of units', async () => {
    const cut = await reportOf(rows, goalOnly(outcome({ winsorize: { upper: 0.98 } })));
    expect(comparisonOf(cut)?.relative?.always_is_approximate).toBe(false);
    expect(cut.notes.join()).not.toContain('surer');
    const any = outcome({ parts: [{ values: { kind: 'outcome', endpoint: 'ep' }, aggregate: 'any' }] });
    const share = await reportOf(rows, goalOnly(any));
    expect(comparisonOf(share)?.relative?.always_is_approximate).toBe(false);
  });
});

/** `n` units an arm with one value each, by the place of the unit. */
const arms = (n: number, valueOf: (arm: string, place: number) => number, of = ['control', 'treatment']) =>
  rowsOf(Object.fromEntries(of.map((arm) => [arm, Array.from({ length: n }, (_, i) => valueOf(arm, i))])));

describe('what a report says beside its figures', () => {
  it('gives no always-valid interval before there are 200 units, and no verdict', async () => {
    const rows = (n: number) => arms(n, (arm, i) => (arm === 'control' ? 10 : 20) + (i % 7));
    const few = await reportOf(rows(99), experiment());
    expect(comparisonOf(few)).toMatchObject(NO_VERDICT);
    expect(comparisonOf(few)?.difference.fixed[0]).toBeGreaterThan(9);
    const enough = await reportOf(rows(100), experiment());
    expect(comparisonOf(enough)).toMatchObject({ verdict: 'better' });
  });

  it('takes no many units of the control for those that an arm has not', async () => {
    const uneven = rowsOf({
      control: Array.from({ length: 3000 }, (_, i) => 10 + (i % 7)),
      treatment: Array.from({ length: 5 }, () => 20),
    });
    const report = await reportOf(uneven, experiment());
    expect(comparisonOf(report)).toMatchObject(NO_VERDICT);
  });

  it('wants 25 events of a rate', async () => {
    const rate = outcome({ parts: [{ values: { kind: 'outcome', endpoint: 'ep' }, aggregate: 'any' }] });
    const asked = goalOnly(rate);
    const events = (n: number) => arms(300, (arm, i) => (arm === 'treatment' && i < n ? 1 : 0));
    expect(comparisonOf(await reportOf(events(24), asked))?.difference.always).toEqual([null, null]);
    expect(comparisonOf(await reportOf(events(25), asked))?.difference.always).not.toContain(null);
  });

  it('corrects goals over all goals and arms, and nothing else', async () => {
    const three = onePhase({
      arms: ['control', 'treatment', 'other'].map((name, at) => ({ name, version: at + 1, buckets: 3333 })),
    });
    const metrics = {
      goal: [
        outcome(),
        outcome({ name: 'count', parts: [{ values: { kind: 'outcome', endpoint: 'ep' }, aggregate: 'count' }] }),
      ],
      secondary: [outcome({ name: 'again' })],
      guardrail: [],
    };
    const rows = arms(200, (arm, i) => (arm === 'treatment' ? 1.15 : 1) * (i % 11), ['control', 'treatment', 'other']);
    const adjusted = async (correction: 'holm' | 'bh') => {
      const plan = { kind: 'split', alpha: 0.05, correction } as const;
      const report = await reportOf(rows, experiment({ metrics, plan, phases: [three] }));
      return report.metrics.map(({ comparisons }) => comparisons.map((one) => [one.difference.p, one.adjusted_p]));
    };
    const [total = [], count = [], again = []] = await adjusted('holm');
    const ps = [...total, ...count].map(([p]) => p as number);
    expect(ps).toHaveLength(4);
    // The smallest of four times four; equal arms have p 1.
    expect(Math.min(...ps)).toBe(ps[0]);
    expect(total[0]?.[1]).toBeCloseTo(4 * (ps[0] as number), 9);
    expect(count.map(([, p]) => p)).toEqual([1, 1]);
    expect(again.map(([, p]) => p)).toEqual([null, null]);
    expect((await adjusted('bh'))[0]?.[0]?.[1]).toBeCloseTo(4 * (ps[0] as number), 9);
  });

  it('names another snapshot for other rows or another metric, and the same for the same', async () => {
    const rows = arms(30, (_, i) => i);
    const made = await reportOf(rows, experiment());
    const again = await reportOf({ ...rows, rows: rows.rows.toReversed() }, experiment());
    expect(again.snapshot).toBe(made.snapshot);
    const late = { id: 'control-3', value: 4, atMicros: START + 9, recordedMicros: START + 900 };
    const later = await reportOf({ ...rows, outcomes: [...rows.outcomes, late] }, experiment());
    expect(later.snapshot).not.toBe(made.snapshot);
    expect((await reportOf(rows, goalOnly(outcome({ direction: 'down' })))).snapshot).not.toBe(made.snapshot);
  });
});

describe('phases together', () => {
  // In the first nobody buys much and one in ten is treated; in the second everybody buys, and nine in ten are.
  const weighed = (...all: readonly number[]) =>
    all.map((buckets, at) => ({ name: ['control', 'treatment'][at] as string, version: at + 1, buckets }));
  const phases = [
    onePhase({ endedMicros: START + 10_000, arms: weighed(9000, 1000) }),
    onePhase({ phase: 2, startedMicros: START + 10_000, arms: weighed(1000, 9000) }),
  ];
  const rows = (effect: number): ExperimentRows => {
    const made: { rows: LoggedRow[]; outcomes: LoggedOutcome[] } = { rows: [], outcomes: [] };
    for (const { phase, arm, n, base } of [
      { phase: 1, arm: 'control', n: 900, base: 1 },
      { phase: 1, arm: 'treatment', n: 100, base: 1 },
      { phase: 2, arm: 'control', n: 100, base: 20 },
      { phase: 2, arm: 'treatment', n: 900, base: 20 },
    ])
      for (let i = 0; i < n; i++) {
        const id = `${phase}-${arm}-${i}`;
        const atMicros = START + (phase - 1) * 10_000 + i;
        made.rows.push({ id, unit: id, atMicros, via: 'experiment', arm, phase, endpoint: 'ep', outputs: {} });
        const value = base + (i % 5) + (arm === 'treatment' ? effect : 0);
        made.outcomes.push({ id, value, atMicros: atMicros + 1, recordedMicros: atMicros + 2 });
      }
    return made;
  };

  it('find no difference where a good phase only had more of one arm', async () => {
    const report = await reportOf(rows(0), experiment({ phases }), true);
    expect(report.phase).toBe('all');
    const comparison = comparisonOf(report);
    // Of all rows as one heap the treatment's mean would be ten times the control's.
    expect(comparison?.difference.estimate).toBeCloseTo(0, 9);
    expect(comparison?.verdict).toBe('undecided');
    expect(report.srm.is_mismatch).toBe(false);
  });

  it('find the one that is there', async () => {
    const report = await reportOf(rows(2), experiment({ phases }), true);
    const comparison = comparisonOf(report);
    expect(comparison?.difference.estimate).toBeCloseTo(2, 9);
    expect(comparison).toMatchObject({ verdict: 'better' });
    expect(comparison?.relative?.estimate).toBeGreaterThan(0);
    const first = await reportOf(rows(2), experiment({ phases: phases.slice(0, 1) }));
    expect(comparisonOf(first)?.difference.estimate).toBeCloseTo(2, 9);
    expect(first.arms.map(({ units }) => units)).toEqual([900, 100]);
  });
});
