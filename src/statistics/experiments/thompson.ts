// The weights of a bandit: as often as an arm may be the best or the second best, by what is known so far.

import { drawBeta, drawNormal, type Random } from './draw.ts';

/** What is known of an arm: a mean with its standard error, or how many of its units had the event. */
export type BanditArm =
  | { readonly mean: number; readonly se: number }
  | { readonly events: number; readonly units: number };

export interface BanditOptions {
  /** Uniform in [0, 1); seeded, the same weights come out again. */
  readonly random: Random;
  readonly draws?: number;
  /** The least that an arm gets, so that it can still be found to have become better. */
  readonly floor?: number;
  /** Whether less is better. */
  readonly isLessBetter?: boolean;
}

export interface BanditWeights {
  /** Sum 1, in the arms' order. */
  readonly weights: readonly number[];
  /** How often each arm came out best. */
  readonly best: readonly number[];
}

/**
 * Top-two Thompson sampling (Russo 2016, "Simple Bayesian algorithms for best-arm identification"; weights as GrowthBook's): of the
 * draws from the posteriors, how often an arm is first or second, halved. Between two arms that would always be a half each: they
 * get how often each is first. Means have a normal posterior (flat prior), rates a beta one (uniform prior).
 */
export function topTwoThompson(
  arms: readonly BanditArm[],
  { random, draws = 10_000, floor = 0.01, isLessBetter = false }: BanditOptions,
): BanditWeights {
  if (floor * arms.length >= 1) throw new RangeError(`${arms.length} arms can't each have at least ${floor}`);
  const first = new Float64Array(arms.length);
  const second = new Float64Array(arms.length);
  for (let draw = 0; draw < draws; draw++) {
    let best = -1;
    let next = -1;
    let bestValue = Number.NEGATIVE_INFINITY;
    let nextValue = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < arms.length; i++) {
      const drawn = drawArm(arms[i] as BanditArm, random);
      const value = isLessBetter ? -drawn : drawn;
      if (best < 0 || value > bestValue) {
        [next, nextValue, best, bestValue] = [best, bestValue, i, value];
      } else if (next < 0 || value > nextValue) [next, nextValue] = [i, value];
    }
    first[best] = (first[best] as number) + 1 / draws;
    if (next >= 0) second[next] = (second[next] as number) + 1 / draws;
  }
  const shares =
    arms.length > 2 ? Array.from(first, (share, i) => (share + (second[i] as number)) / 2) : Array.from(first);
  return { weights: withFloor(shares, floor), best: Array.from(first) };
}

function drawArm(arm: BanditArm, random: Random): number {
  if ('mean' in arm) return arm.mean + arm.se * drawNormal(random);
  return drawBeta(random, arm.events + 1, arm.units - arm.events + 1);
}

/** Arms below the floor are lifted to it, the others give in proportion; again while that brings one below. */
function withFloor(shares: readonly number[], floor: number): number[] {
  const lifted = new Set<number>();
  for (;;) {
    const free = shares.reduce((sum, share, i) => (lifted.has(i) ? sum : sum + share), 0);
    const scale = (1 - floor * lifted.size) / free;
    const low = shares.findIndex((share, i) => !lifted.has(i) && share * scale < floor);
    if (low < 0) return shares.map((share, i) => (lifted.has(i) ? floor : share * scale));
    lifted.add(low);
  }
}
