// Whether one arm has more events than its share, looked at as often as one likes: an e-process over the arms that
// first events fall to. Exact for small counts, under any ramp of weights, and under bursts that meet both arms.

import { type Direction, type Evidence, gatherEvidence } from './evidence.ts';

export interface EventTestOptions {
  readonly thetas: Direction;
  /** How much more (less, where negative) the candidate may have, relative to the other arm: .2 is 20 % more. Above −1. */
  readonly tolerance?: number;
  /** The most of all rollouts without a change that may ever be called a breach. */
  readonly alpha: number;
}

export interface EventTest extends Evidence {
  /**
   * One minute: `k` events in both arms, `kc` of them at the candidate, which had the share `w` of the units. An event is a
   * unit's first in the rollout, whichever arm it was in: the arm of later ones isn't independent of it.
   */
  add(k: number, kc: number, w: number): void;
}

/**
 * `E = mean_θ Π e^{θ·kc} / (1 − w + w·e^θ)^k` over minutes. Where the candidate changes nothing, a unit's first event comes
 * when it comes, and finds the unit at the candidate with the chance w of then: each factor's mean is 1, E is a martingale,
 * and reaches 1/α in at most α of all runs, at whatever time one looks (Ville 1939; Robbins 1970, "Statistical methods related
 * to the law of the iterated logarithm"). A tolerance δ moves the share to w(1+δ) / (1 − w + w(1+δ)); below it E sinks.
 */
export function createEventTest({ thetas, tolerance = 0, alpha }: EventTestOptions): EventTest {
  if (!(tolerance > -1)) throw new RangeError(`a tolerance of ${tolerance} allows less than nothing`);
  const { multiply, ...evidence } = gatherEvidence(thetas, alpha);
  return {
    ...evidence,
    add(k, kc, w) {
      if (!(kc >= 0 && kc <= k && w >= 0 && w <= 1))
        throw new RangeError(`${kc} of ${k} events at the share ${w} can't be`);
      if (k === 0) return;
      const allowed = w * (1 + tolerance);
      const share = allowed / (1 - w + allowed);
      multiply(kc, (bet) => k * Math.log1p(share * (bet - 1)));
    },
  };
}
