// The next weights of a bandit, by its first goal: over all phases since it started, each arm's mean at the same mix of phases, so
// that a phase in which everybody did well makes no arm better that happened to have most of its units.

import { seeded } from '../../../core/index.ts';
import { type BanditArm, meanEstimate, ratioEstimate, topTwoThompson } from '../../../statistics/index.ts';
import type { Analysed } from '../analysis/analyse.ts';
import type { ArmSums } from '../analysis/metric-sums.ts';

export interface BanditDecision {
  /** Percent of all units by arm, in steps of 0.01; together what the arms have by now. */
  readonly weights: Readonly<Record<string, number>>;
  /** How often each arm came out best. */
  readonly best: Readonly<Record<string, number>>;
}

/** Undefined where an arm has too few units to be drawn for: weights stay. The same rows give the same weights. */
export function banditWeights(analysed: Analysed): BanditDecision | undefined {
  const { arms, experiment, rowsHash } = analysed;
  const goal = analysed.metrics.find(({ role }) => role === 'goal');
  const { plan, phases } = experiment;
  const last = phases.at(-1);
  if (goal?.kind !== 'sums' || plan.kind !== 'bandit' || last === undefined) return undefined;
  const drawn = standardised(goal.sums.arms, arms.length, goal.metric.parts.length === 2);
  if (drawn === undefined) return undefined;
  const { weights, best } = topTwoThompson(drawn, {
    random: seeded(Number.parseInt(rowsHash.slice(0, 8), 16)),
    floor: plan.floor,
    isLessBetter: goal.metric.direction === 'down',
  });
  const whole = last.arms.reduce((sum, { buckets }) => sum + buckets, 0);
  const buckets = inBuckets(weights, whole);
  const named = (of: (at: number) => number) => Object.fromEntries(arms.map((name, at) => [name, of(at)]));
  return { weights: named((at) => (buckets[at] ?? 0) / 100), best: named((at) => best[at] ?? 0) };
}

/** Phases in which every arm has two units or more, each weighing as many units as it has. */
function standardised(sums: readonly ArmSums[], arms: number, isRatio: boolean): BanditArm[] | undefined {
  const byPhase = [...Map.groupBy(sums, ({ phase }) => phase).values()].filter(
    (phase) => phase.filter(({ sums: { n } }) => n >= 2).length === arms,
  );
  const units = byPhase.map((phase) => phase.reduce((sum, one) => sum + one.sums.n, 0));
  const all = units.reduce((sum, one) => sum + one, 0);
  if (all === 0) return undefined;
  const drawn = Array.from({ length: arms }, (_, at) => {
    let [mean, variance] = [0, 0];
    byPhase.forEach((phase, i) => {
      const one = phase.find(({ arm }) => arm === at)?.sums;
      if (one === undefined) return;
      const share = (units[i] as number) / all;
      const estimate = isRatio ? ratioEstimate(one) : meanEstimate({ n: one.n, sum: one.y, squares: one.yy });
      mean += share * estimate.estimate;
      variance += share ** 2 * estimate.variance;
    });
    return { mean, se: Math.sqrt(variance) };
  });
  return drawn.every(({ mean, se }) => Number.isFinite(mean) && Number.isFinite(se)) ? drawn : undefined;
}

/** Whole buckets that sum to `whole`: the largest remainders get what is left. */
function inBuckets(weights: readonly number[], whole: number): number[] {
  const exact = weights.map((weight) => weight * whole);
  const buckets = exact.map(Math.floor);
  const order = exact.map((value, at) => ({ at, rest: value - Math.floor(value) })).toSorted((a, b) => b.rest - a.rest);
  for (let left = whole - buckets.reduce((sum, one) => sum + one, 0), i = 0; left > 0; left--, i++) {
    const { at } = order[i % order.length] as { at: number };
    buckets[at] = (buckets[at] ?? 0) + 1;
  }
  return buckets;
}
