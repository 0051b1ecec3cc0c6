// Distances between two distributions, given as counts by the same bins. Logarithms are natural.

import { type Counts, sameBins, sharesOf, sumOver } from './shares.ts';

/** What is added to each bin by default: an empty one then says little, not infinity. */
const HALF = 0.5;

/**
 * The population stability index Σ (q − p) ln(q/p): Kullback and Leibler's divergence both ways (Jeffreys 1946). With `extra` 0 it
 * is that of the shares as they are, and infinite where one of a bin's is 0.
 */
export function psi(ref: Counts, cur: Counts, extra: number = HALF): number {
  sameBins(ref, cur);
  return sumOver(sharesOf(ref, extra), sharesOf(cur, extra), (p, q) => (p === q ? 0 : (q - p) * Math.log(q / p)));
}

/** KL(reference ‖ current) = Σ p ln(p/q): infinite where the current one has nothing and the reference something. */
export function kl(ref: Counts, cur: Counts): number {
  sameBins(ref, cur);
  return sumOver(sharesOf(ref), sharesOf(cur), term);
}

/** Jensen and Shannon's distance (the divergence's root, as scipy's), nats: 0 to √ln 2 (Endres and Schindelin 2003). */
export function jensenShannon(ref: Counts, cur: Counts): number {
  sameBins(ref, cur);
  const divergence = sumOver(sharesOf(ref), sharesOf(cur), (p, q) => (term(p, (p + q) / 2) + term(q, (p + q) / 2)) / 2);
  return Math.sqrt(Math.max(0, divergence));
}

/** √(Σ(√p − √q)²/2): 0 to 1. */
export function hellinger(ref: Counts, cur: Counts): number {
  sameBins(ref, cur);
  return Math.sqrt(sumOver(sharesOf(ref), sharesOf(cur), (p, q) => (Math.sqrt(p) - Math.sqrt(q)) ** 2) / 2);
}

/** The greatest difference of a bin's shares: 0 to 1. */
export function lInfinity(ref: Counts, cur: Counts): number {
  sameBins(ref, cur);
  const p = sharesOf(ref);
  return sharesOf(cur).reduce((most, q, i) => Math.max(most, Math.abs(q - (p[i] as number))), 0);
}

function term(p: number, q: number): number {
  return p === 0 ? 0 : p * Math.log(p / q);
}
