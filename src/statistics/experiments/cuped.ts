// CUPED: what a unit did before it was assigned tells part of what it does after, and that part is no effect of an arm.

import { type ArmEstimate, moment, type PairSums, spread } from './arm-estimate.ts';

export interface CupedEstimates {
  /** One an arm, in order, at the mean earlier value of all arms. */
  readonly arms: readonly ArmEstimate[];
  readonly theta: number;
}

/**
 * Estimates of means a unit, with y the value and x the same unit's value before: Ȳ − θ(X̄ − X̄ of all), θ = Cov/Var within
 * arms, pooled; variance (VarY + θ²VarX − 2θCov)/n (Deng, Xu, Kohavi and Walker 2013, "Improving the sensitivity of online controlled
 * experiments by utilizing pre-experiment data"). Pooling keeps an effect out of θ. Units without a past have x = 0.
 */
export function cuped(arms: readonly PairSums[]): CupedEstimates {
  let covariance = 0;
  let variance = 0;
  let units = 0;
  let earlier = 0;
  for (const { n, y, x, xx, xy } of arms) {
    if (n > 1) {
      covariance += (n - 1) * moment(n, y, x, xy);
      variance += (n - 1) * spread(n, x, xx);
    }
    units += n;
    earlier += x;
  }
  const theta = variance > 0 ? covariance / variance : 0;
  const center = earlier / units;
  return {
    theta,
    arms: arms.map(({ n, y, yy, x, xx, xy }) => ({
      estimate: y / n - theta * (x / n - center),
      variance: Math.max(0, spread(n, y, yy) + theta ** 2 * spread(n, x, xx) - 2 * theta * moment(n, y, x, xy)) / n,
      n,
    })),
  };
}
