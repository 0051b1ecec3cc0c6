// What DuckDB makes of an experiment's rows is what a naive reading of them gives: units with many rows, units in two arms,
// outcomes that are late, told again, or of nobody, forced rows, and rows of before.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MetricPartSpec, MetricSpec } from '../../src/definitions/index.ts';
import { makeReport, type AnalysedExperiment } from '../../src/rollouts/index.ts';
import {
  analyseRows,
  EXPERIMENT,
  type ExperimentRows,
  type LoggedRow,
  onePhase,
  START,
  useAnalyses,
} from '../support/experiment-rows.ts';
import { naiveMetric, naiveUnits } from '../support/naive-experiment.ts';
import { runs } from '../support/tier.ts';

useAnalyses();

const SECOND = 1_000_000;
const time = fc.integer({ min: -50, max: 100 }).map((seconds) => START + seconds * SECOND);

const row = fc.record({
  unit: fc.constantFrom(...Array.from({ length: 14 }, (_, i) => `u${i}`)),
  atMicros: time,
  kind: fc.constantFrom('own', 'own', 'own', 'own', 'other arm', 'forced', 'base', 'other endpoint'),
  phase: fc.constantFrom(1, 1, 1, 2),
  p: fc.integer({ min: -8, max: 8 }),
});

const value = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -20, max: 20 }) },
  { weight: 1, arbitrary: fc.double({ min: -5, max: 5, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(null, 'late') },
);
const booleans = fc.oneof({ weight: 9, arbitrary: fc.boolean() }, { weight: 1, arbitrary: fc.constant(null) });

const outcomes = (of: fc.Arbitrary<number | string | boolean | null>) =>
  fc.array(
    fc.record({
      row: fc.integer({ min: 0, max: 90 }),
      value: of,
      delay: fc.integer({ min: 0, max: 60 }),
      recorded: fc.integer({ min: 0, max: 1_000_000 }),
    }),
    { maxLength: 90 },
  );

/** A unit's arm is its own, but for rows that say otherwise. */
const armOf = (unit: string): string => (Number(unit.slice(1)) % 2 === 0 ? 'control' : 'treatment');

const SQL_UNITS = ['u0', 'u1', 'u2', 'u3', 'u4', 'u99'] as const;

const world = fc
  .record({
    rows: fc.array(row, { minLength: 8, maxLength: 70 }),
    outcomes: fc.oneof(outcomes(value), outcomes(booleans)),
    sql: fc.array(
      fc.record({ unit: fc.constantFrom(...SQL_UNITS), atMicros: time, value: fc.integer({ min: -9, max: 9 }) }),
      { maxLength: 30 },
    ),
  })
  .map(({ rows, outcomes: told, sql }): ExperimentRows => {
    const logged = rows.map(({ unit, kind, atMicros, phase, p }, i): LoggedRow => {
      const other = armOf(unit) === 'control' ? 'treatment' : 'control';
      const via = kind === 'forced' || kind === 'base' ? kind : 'experiment';
      const arm = kind === 'other arm' ? other : armOf(unit);
      const endpoint = kind === 'other endpoint' ? 'other' : 'ep';
      return { id: `p${i}`, unit, atMicros, phase, via, arm, endpoint, outputs: p === 8 ? { p: null } : { p } };
    });
    return {
      rows: logged,
      sql,
      // Rows beyond those that there are: outcomes of ids that nobody was given. Records at one moment have no order.
      outcomes: told.map(({ row: at, value: said, delay, recorded }, i) => ({
        id: `p${at}`,
        value: said,
        atMicros: (logged[at]?.atMicros ?? START) + delay * SECOND,
        recordedMicros: START + recorded * 1000 + i,
      })),
    };
  });

const part: fc.Arbitrary<MetricPartSpec> = fc
  .record({
    values: fc.constantFrom<MetricPartSpec['values']>(
      { kind: 'outcome', endpoint: 'ep' },
      { kind: 'outcome', endpoint: 'ep' },
      { kind: 'output', endpoint: 'ep', output: 'p' },
      { kind: 'sql', sql: 'SELECT', over: [] },
    ),
    aggregate: fc.constantFrom(undefined, 'sum', 'mean', 'count', 'any'),
    windowMicros: fc.constantFrom(undefined, 20 * SECOND, 60 * SECOND),
  })
  .map(({ values, aggregate, windowMicros }) => ({
    values,
    ...(aggregate && { aggregate }),
    ...(windowMicros && { windowMicros }),
  })) as fc.Arbitrary<MetricPartSpec>;

const metric: fc.Arbitrary<MetricSpec> = fc
  .record({
    parts: fc.oneof(fc.tuple(part), fc.tuple(part), fc.tuple(part, part)),
    prePeriod: fc.option(part, { nil: undefined }),
    winsorize: fc.constantFrom(undefined, { upper: 0.8 }, { lower: 0.1, upper: 0.9 }),
    quantile: fc.constantFrom(undefined, undefined, 0.5, 0.9),
  })
  .map(({ parts, prePeriod, winsorize, quantile }): MetricSpec => {
    const base = { name: 'm', direction: 'up', worth: 0.1 } as const;
    if (quantile !== undefined) return { ...base, parts: parts.slice(0, 1), quantile };
    const more = { ...base, parts, ...(winsorize && { winsorize }) };
    return parts.length === 1 && prePeriod !== undefined ? { ...more, prePeriod } : more;
  });

const experiment = (goal: MetricSpec, endedMicros: number | null): AnalysedExperiment => ({
  name: EXPERIMENT,
  unit: ['uid'],
  control: 'control',
  metrics: { goal: [goal], secondary: [], guardrail: [] },
  plan: { kind: 'split', alpha: 0.05, correction: 'holm' },
  phases: [onePhase({ endedMicros })],
});

const close = (got: number | null | undefined, wanted: number): void => {
  // Where the naive one can't say, no more is said here.
  if (!Number.isFinite(wanted)) expect(got ?? null).toBeNull();
  else expect(got).toBeCloseTo(wanted, 6);
};

describe('an analysis by DuckDB', () => {
  it('is what a naive one gives', async () => {
    await fc.assert(
      fc.asyncProperty(world, metric, fc.constantFrom(null, START + 60 * SECOND), async (rows, goal, ended) => {
        const asked = experiment(goal, ended);
        const analysed = await analyseRows(rows, asked);
        const report = makeReport(analysed, { nowMicros: START, isAll: false });
        const { units, twoArms } = naiveUnits(rows, asked);
        expect(report.dropped.two_arms).toBe(twoArms);
        for (const arm of report.arms) expect(arm.units).toBe(units.filter((unit) => unit.arm === arm.name).length);
        const naive = naiveMetric(rows, asked, goal);
        const [told] = report.metrics;
        for (const { arm, units: n, value: of, se } of told?.arms ?? []) {
          const own = naive.arms[arm];
          if (n === 0 || own === undefined) continue;
          expect(n).toBe(own.units);
          close(of, own.value);
          // A quantile without neighbours has no error, and is left out.
          if (goal.quantile === undefined && Number.isFinite(own.value)) close(se, own.se);
        }
        const [comparison] = told?.comparisons ?? [];
        const [control, treatment] = [naive.arms['control'], naive.arms['treatment']];
        if (control === undefined || treatment === undefined || control.units < 2 || treatment.units < 2) return;
        if (goal.quantile !== undefined || !Number.isFinite(control.value + treatment.value)) return;
        close(comparison?.difference.estimate, treatment.value - control.value);
        close(comparison?.difference.se, Math.hypot(control.se, treatment.se));
        if (naive.cuped !== undefined) {
          close(comparison?.cuped?.estimate, naive.cuped.estimate);
          close(comparison?.cuped?.se, naive.cuped.se);
        }
      }),
      { numRuns: runs(40) },
    );
  });
});
