// An arm against the control in one metric: difference, relative lift, and the difference with the time before taken out.

import type { MetricSpec } from '../../../definitions/index.ts';
import {
  alwaysValid,
  type ArmEstimate,
  type Comparison,
  cuped,
  fixedHorizon,
  meanEstimate,
  ratioEstimate,
  relativeLift,
  stratifiedDifference,
  type Stratum,
  welch,
} from '../../../statistics/index.ts';
import type { AnalysedMetric } from '../analysis/analyse.ts';
import type { ArmSums } from '../analysis/metric-sums.ts';
import type { ArmComparison, ArmValue, CupedEffect, Effect, RelativeEffect } from './experiment-report.ts';

/** Before, the normal approximation under always-valid intervals does not hold. */
const LEAST_UNITS = 200;
const LEAST_EVENTS = 25;

export type Compared = Omit<ArmComparison, 'adjusted_p' | 'verdict'>;

/** `alpha`: of each interval. `isAll`: phases are strata, compared within each. */
export interface Comparing {
  readonly arms: readonly string[];
  readonly alpha: number;
  readonly isAll: boolean;
}

/** Values of arms over all of their phases. */
export function armValues(analysed: AnalysedMetric, { arms }: Comparing): ArmValue[] {
  return arms.map((arm, at) => {
    const estimate = estimateOf(analysed, at);
    return {
      arm,
      units: estimate?.n ?? 0,
      value: finite(estimate?.estimate),
      se: finite(estimate === undefined ? undefined : Math.sqrt(estimate.variance)),
    };
  });
}

export function compareArms(analysed: AnalysedMetric, comparing: Comparing): Compared[] {
  const { arms, isAll } = comparing;
  return arms.slice(1).map((arm, i): Compared => {
    const at = i + 1;
    if (isAll) return { arm, ...compareStrata(analysed, at, comparing), cuped: null };
    const [control, treatment] = [estimateOf(analysed, 0), estimateOf(analysed, at)];
    if (control === undefined || treatment === undefined)
      return { arm, difference: NOTHING, relative: null, cuped: null };
    const lift = relativeLift(control, treatment);
    const judge = judging(analysed, [0, at], control.estimate, comparing);
    return {
      arm,
      difference: judge(welch(control, treatment), 'difference'),
      relative: lift === undefined ? null : asRelative(analysed, judge(lift, 'relative')),
      cuped: withoutBefore(analysed, at, judge),
    };
  });
}

/** By name of the interval's unit: τ is a change worth knowing, of the control's value or of 1. */
type Judge = (comparison: Comparison, of: 'difference' | 'relative') => Effect;

function judging(
  analysed: AnalysedMetric,
  arms: readonly number[],
  base: number,
  { alpha }: Pick<Comparing, 'alpha'>,
): Judge {
  const { worth } = analysed.metric;
  const isReady = hasEnough(analysed, arms);
  return (comparison, of) => {
    const { estimate, se } = comparison;
    if (!Number.isFinite(estimate) || !Number.isFinite(se)) return { ...NOTHING, estimate: finite(estimate) };
    const fixed = fixedHorizon(comparison, alpha);
    const tau = of === 'relative' ? worth : worth * Math.abs(base);
    const always = isReady ? alwaysValid(comparison, alpha, tau > 0 ? { tau } : undefined) : undefined;
    return {
      estimate,
      se,
      p: finite(fixed.p),
      fixed: [finite(fixed.lo), finite(fixed.hi)],
      always: [finite(always?.lo), finite(always?.hi)],
      always_p: finite(always?.p),
    };
  };
}

function asRelative(analysed: AnalysedMetric, effect: Effect): RelativeEffect {
  const hasEnd =
    analysed.kind === 'sums' && (analysed.metric.winsorize !== undefined || analysed.sums.aggregate === 'any');
  return { ...effect, always_is_approximate: !hasEnd };
}

const NOTHING: Effect = {
  estimate: null,
  se: null,
  p: null,
  fixed: [null, null],
  always: [null, null],
  always_p: null,
};

/** A quantile's error is read from the values around it, which no look but one has been shown to bear. */
function hasEnough(analysed: AnalysedMetric, arms: readonly number[]): boolean {
  if (analysed.kind === 'quantiles') return false;
  const sum = (of: (one: ArmSums) => number): number =>
    arms.reduce((all, at) => all + total(analysed.sums.arms, at, of), 0);
  const isRate = analysed.sums.aggregate === 'any';
  return sum(({ sums }) => sums.n) >= LEAST_UNITS && (!isRate || sum(({ events }) => events) >= LEAST_EVENTS);
}

/** Over all phases: their sums together. */
function estimateOf(analysed: AnalysedMetric, at: number): ArmEstimate | undefined {
  if (analysed.kind === 'quantiles') {
    // A quantile of phases together is of none of them.
    const own = analysed.quantiles.filter(({ arm }) => arm === at);
    return own.length === 1 ? own[0]?.estimate : undefined;
  }
  const all = analysed.sums.arms.filter(({ arm }) => arm === at);
  if (all.length === 0) return undefined;
  const [n, y, yy, x, xx, xy] = (['n', 'y', 'yy', 'x', 'xx', 'xy'] as const).map((member) =>
    all.reduce((sum, { sums }) => sum + sums[member], 0),
  ) as [number, number, number, number, number, number];
  return isRatio(analysed.metric) ? ratioEstimate({ n, y, yy, x, xx, xy }) : meanEstimate({ n, sum: y, squares: yy });
}

const isRatio = ({ parts }: MetricSpec): boolean => parts.length === 2;

function withoutBefore(analysed: AnalysedMetric, at: number, judge: Judge): CupedEffect | null {
  if (analysed.kind !== 'sums' || analysed.metric.prePeriod === undefined) return null;
  // θ is of all arms, so that each comparison takes out the same.
  const all = analysed.sums.arms;
  const { theta, arms } = cuped(all.map(({ sums }) => sums));
  const of = (number: number): { readonly adjusted: ArmEstimate; readonly plain: ArmEstimate } | undefined => {
    const place = all.findIndex(({ arm }) => arm === number);
    const [adjusted, sums] = [arms[place], all[place]?.sums];
    if (adjusted === undefined || sums === undefined) return undefined;
    return { adjusted, plain: meanEstimate({ n: sums.n, sum: sums.y, squares: sums.yy }) };
  };
  const [control, treatment] = [of(0), of(at)];
  if (control === undefined || treatment === undefined) return null;
  const before = control.plain.variance + treatment.plain.variance;
  const after = control.adjusted.variance + treatment.adjusted.variance;
  return {
    ...judge(welch(control.adjusted, treatment.adjusted), 'difference'),
    theta,
    variance_reduction: before > 0 ? finite(1 - after / before) : null,
  };
}

/** Phases are strata: a change of the base rate between them is no difference. */
function compareStrata(
  analysed: AnalysedMetric,
  at: number,
  comparing: Comparing,
): Pick<Compared, 'difference' | 'relative'> {
  const none = { difference: NOTHING, relative: null };
  if (analysed.kind !== 'sums') return none;
  const strata = strataOf(analysed.sums.arms, at);
  const found = stratifiedDifference(strata);
  if (found === undefined) return none;
  const { difference, se, base } = found;
  const n = [0, at].reduce((sum, arm) => sum + total(analysed.sums.arms, arm, ({ sums }) => sums.n), 0);
  const df = (strata[0]?.base.n.length ?? 2) - 1;
  const judge = judging(analysed, [0, at], base, comparing);
  // The delta method: the error of Σ v (R_c − (1 + r) R_b), in parts of the base.
  const scaled = strata.map(({ candidate, base: b }) => ({
    candidate,
    base: { y: Float64Array.from(b.y, (value) => (value * (base + difference)) / base), n: b.n },
  }));
  const relativeSe = base === 0 ? undefined : (stratifiedDifference(scaled)?.se ?? Number.NaN) / Math.abs(base);
  return {
    difference: judge({ estimate: difference, se, df, n }, 'difference'),
    relative:
      relativeSe === undefined
        ? null
        : asRelative(analysed, judge({ estimate: difference / Math.abs(base), se: relativeSe, df, n }, 'relative')),
  };
}

function strataOf(all: readonly ArmSums[], at: number): Stratum[] {
  return all
    .filter(({ arm }) => arm === 0)
    .flatMap(({ phase, groups }) => {
      const candidate = all.find((one) => one.phase === phase && one.arm === at);
      return candidate === undefined ? [] : [{ candidate: candidate.groups, base: groups }];
    });
}

function total(all: readonly ArmSums[], at: number, of: (one: ArmSums) => number): number {
  return all.reduce((sum, one) => (one.arm === at ? sum + of(one) : sum), 0);
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
