// Whether an arm has more events than a fixed limit allows, by itself: no other arm is needed, and none can excuse it.

import { type Direction, type Evidence, gatherEvidence } from './evidence.ts';

export interface LimitTestOptions {
  /** The rate that is allowed, in (0, 1). */
  readonly limit: number;
  /** `rise` (default) where the limit is the most, `drop` where it is the least. */
  readonly thetas?: Direction;
  readonly alpha: number;
}

export interface LimitTest extends Evidence {
  /** `k` events of `n` trials more. */
  add(k: number, n: number): void;
}

/**
 * `E = mean_θ Π e^{θ·k} / (1 − p + p·e^θ)^n` at p = the limit: a test supermartingale, as in the test of events.
 *
 * What is counted: for a most, k may be the units with a first event and n every request. A unit's later requests then
 * weigh against a breach only, so that rows of one unit, however alike, can't cause a false one; units that fail again
 * and again count once. Trials that can have more events than one break it.
 */
export function createLimitTest({ limit, thetas = 'rise', alpha }: LimitTestOptions): LimitTest {
  if (!(limit > 0 && limit < 1)) throw new RangeError(`a limit of ${limit} is not within (0, 1)`);
  const { multiply, ...evidence } = gatherEvidence(thetas, alpha);
  return {
    ...evidence,
    add(k, n) {
      if (!(k >= 0 && k <= n)) throw new RangeError(`${k} events of ${n} trials can't be`);
      if (n === 0) return;
      multiply(k, (bet) => n * Math.log1p(limit * (bet - 1)));
    },
  };
}
