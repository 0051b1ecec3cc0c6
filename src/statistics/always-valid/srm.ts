// Whether arms got the units that their weights say (sample ratio mismatch): if not, nothing else of them can be compared.

import { chiSquareP } from '../special/incomplete-gamma.ts';
import { lnGamma } from '../special/ln-gamma.ts';
import { expWithin, logMeanExp } from '../special/log-mean.ts';

/** Units first seen by arm while the weights stood; weights in any unit, one an arm. */
export interface WeightPhase {
  readonly counts: readonly number[];
  readonly weights: readonly number[];
}

/** How sure the priors are of the weights: the first finds great mismatches early, the second small ones. */
const CONCENTRATIONS = [100, 10_000] as const;

/** ln of `srmE`. */
export function srmLnE(phases: readonly WeightPhase[]): number {
  return phases.reduce((sum, phase) => sum + logMeanExp(CONCENTRATIONS.map((k) => lnEvidence(phase, k))), 0);
}

/**
 * The evidence against the weights, valid at every look: breach at E ≥ 1/α (page: α = .001). Dirichlet priors K·p:
 * `ln E_K = lnΓ(K) − lnΓ(K+n) + Σ[lnΓ(Kp_i + x_i) − lnΓ(Kp_i) − x_i ln p_i]`, their mean over K = 100 and 10⁴; by phase of
 * weights, multiplied (Lindon and Malek 2022, "Anytime-valid inference for multinomial count data"). At most the greatest
 * double. A unit at an arm of weight 0 is proof.
 */
export function srmE(phases: readonly WeightPhase[]): number {
  return expWithin(srmLnE(phases));
}

/** Pearson's χ² of counts against weights, at one look: p. Arms of weight 0 are left out when nothing is there. */
export function srmChiSquare(counts: readonly number[], weights: readonly number[]): number {
  const active = activeArms({ counts, weights });
  if (active === undefined) return 0;
  const n = active.reduce((sum, { x }) => sum + x, 0);
  if (n === 0) return 1;
  const statistic = active.reduce((sum, { x, p }) => sum + (x - n * p) ** 2 / (n * p), 0);
  return chiSquareP(statistic, active.length - 1);
}

function lnEvidence(phase: WeightPhase, k: number): number {
  const active = activeArms(phase);
  if (active === undefined) return Number.POSITIVE_INFINITY;
  let n = 0;
  let sum = 0;
  for (const { x, p } of active) {
    n += x;
    sum += lnGamma(k * p + x) - lnGamma(k * p) - x * Math.log(p);
  }
  return sum + lnGamma(k) - lnGamma(k + n);
}

/** Undefined where a unit is at an arm that gets none. */
function activeArms({ counts, weights }: WeightPhase): readonly { x: number; p: number }[] | undefined {
  if (counts.length !== weights.length)
    throw new RangeError(`${counts.length} counts and ${weights.length} weights are not of the same arms`);
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const arms = weights.map((weight, i) => ({ x: counts[i] as number, p: weight / whole }));
  if (arms.some(({ x, p }) => x > 0 && !(p > 0))) return undefined;
  return arms.filter(({ p }) => p > 0);
}
