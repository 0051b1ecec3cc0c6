// An analysis as a report: comparisons, corrected over goals and arms, the split's own test, and what it comes to in words.

import { contentHash, formatTimestamp, type Micros } from '../../../core/index.ts';
import { benjaminiHochberg, holm, srmChiSquare, srmE } from '../../../statistics/index.ts';
import type { Analysed } from '../analysis/analyse.ts';
import { metricsOf } from '../analysis/analysed-experiment.ts';
import { armValues, compareArms, type Compared } from './compare-arms.ts';
import { decide } from './decision.ts';
import type { ArmComparison, ExperimentReport, MetricReport } from './experiment-report.ts';
import { notesOf } from './notes.ts';

/** The least chance at which a split counts as the one that was asked for. */
export const SRM_ALPHA = 0.001;

export interface ReportContext {
  readonly nowMicros: Micros;
  /** Several phases together, each a stratum. */
  readonly isAll: boolean;
}

export function makeReport(analysed: Analysed, { nowMicros, isAll }: ReportContext): ExperimentReport {
  const { experiment, arms, exposures } = analysed;
  const { plan, phases } = experiment;
  const srm = testSplit(analysed);
  const metrics = correct(
    analysed.metrics.map((one) => {
      const { metric, role } = one;
      const comparing = { arms, isAll, alpha: plan.alpha };
      return {
        name: metric.name,
        role,
        kind: one.kind === 'quantiles' ? 'quantile' : metric.parts.length === 2 ? 'ratio' : 'mean',
        aggregate: one.kind === 'quantiles' || metric.parts.length === 2 ? null : one.sums.aggregate,
        direction: metric.direction,
        description: metric.description ?? null,
        arms: armValues(one, comparing),
        compared: compareArms(one, comparing),
      };
    }),
    plan,
  );
  // Phases are in order, and there is one at least.
  const [first, last] = [phases[0], phases.at(-1)] as [(typeof phases)[number], (typeof phases)[number]];
  const found: Omit<ExperimentReport, 'decision' | 'notes'> = {
    name: experiment.name,
    phase: isAll ? 'all' : last.phase,
    state: last.endedMicros === null ? 'running' : 'ended',
    plan: plan.kind,
    started_at: formatTimestamp(first.startedMicros),
    ended_at: last.endedMicros === null ? null : formatTimestamp(last.endedMicros),
    made_at: formatTimestamp(nowMicros),
    snapshot: snapshotOf(analysed, isAll),
    alpha: plan.alpha,
    correction: plan.correction,
    control: experiment.control,
    arms: arms.map((name, at) => {
      const arm = last.arms.find((one) => one.name === name);
      return {
        name,
        version: arm?.version ?? 0,
        weight: (arm?.buckets ?? 0) / 100,
        units: sumOver(exposures.units, at),
      };
    }),
    dropped: {
      two_arms: exposures.twoArms,
      forced_rows: exposures.forcedRows,
      rows_without_unit: exposures.unitlessRows,
    },
    srm,
    metrics,
    timeline: analysed.timeline.map(({ atMicros, units }) => ({ at: formatTimestamp(atMicros), units })),
  };
  return { ...found, decision: decide(found), notes: notesOf(found, analysed) };
}

/** By the rows themselves: a compaction, or files that were copied, make no other report. */
function snapshotOf({ experiment, rowsHash }: Analysed, isAll: boolean): string {
  const { name, phases, plan, control } = experiment;
  const metrics = metricsOf(experiment);
  return contentHash({ name, phases, plan, control, metrics, isAll, rowsHash }).slice(0, 16);
}

function sumOver(units: Analysed['exposures']['units'], at: number): number {
  return [...units.values()].reduce((sum, arms) => sum + (arms[at] ?? 0), 0);
}

function testSplit({ experiment, arms, exposures }: Analysed): ExperimentReport['srm'] {
  const phases = experiment.phases.map(({ phase, arms: own }) => ({
    counts: exposures.units.get(phase) ?? arms.map(() => 0),
    weights: arms.map((name) => own.find((arm) => arm.name === name)?.buckets ?? 0),
  }));
  const expected = arms.map((_, at) =>
    phases.reduce((sum, { counts, weights }) => {
      const whole = weights.reduce((all, weight) => all + weight, 0);
      return sum + (counts.reduce((all, count) => all + count, 0) * (weights[at] as number)) / whole;
    }, 0),
  );
  const counts = arms.map((_, at) => sumOver(exposures.units, at));
  const isEmpty = counts.every((count) => count === 0);
  const p = isEmpty ? null : srmChiSquare(counts, expected);
  const e = srmE(phases);
  return { p, e, expected, is_mismatch: e >= 1 / SRM_ALPHA || (p !== null && p < SRM_ALPHA) };
}

type Uncorrected = Omit<MetricReport, 'comparisons' | 'kind'> & {
  readonly kind: string;
  readonly compared: readonly Compared[];
};

/**
 * Goals × arms are one family. Its verdicts go by p-values of always-valid intervals, so that each look may be the last; what is
 * `adjusted_p` is the fixed horizon's.
 */
function correct(
  metrics: readonly Uncorrected[],
  { alpha, correction }: Analysed['experiment']['plan'],
): MetricReport[] {
  const adjust = correction === 'holm' ? holm : benjaminiHochberg;
  const family = metrics.flatMap(({ role, compared }) => (role === 'goal' ? compared : []));
  const adjusted = adjusting(family, adjust, ({ difference }) => difference.p);
  const always = adjusting(family, adjust, ({ difference }) => difference.always_p);
  return metrics.map(({ compared, kind, ...metric }) => ({
    ...metric,
    // It was made of these alone.
    kind: kind as MetricReport['kind'],
    comparisons: compared.map((one): ArmComparison => {
      const p = metric.role === 'goal' ? (always.get(one) ?? null) : one.difference.always_p;
      const estimate = one.difference.estimate ?? 0;
      const verdict = p === null || p >= alpha ? 'undecided' : VERDICTS[metric.direction][estimate > 0 ? 1 : 0];
      return { ...one, adjusted_p: adjusted.get(one) ?? null, verdict };
    }),
  }));
}

/** Of less and of more. */
const VERDICTS = { up: ['worse', 'better'], down: ['better', 'worse'], none: ['lower', 'higher'] } as const;

function adjusting(
  family: readonly Compared[],
  adjust: (ps: readonly number[]) => number[],
  pOf: (one: Compared) => number | null,
): ReadonlyMap<Compared, number | null> {
  // What has no p yet counts as one that says nothing: it will be looked at, too.
  const adjusted = adjust(family.map((one) => pOf(one) ?? 1));
  return new Map(family.map((one, i) => [one, pOf(one) === null ? null : (adjusted[i] ?? null)]));
}
