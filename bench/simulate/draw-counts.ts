// Counts drawn as whole samples, without drawing their rows.

import { drawNormal } from '../../src/statistics/index.ts';

/** Past so many expected a count is drawn as the normal that it nearly is. */
const COUNTED_BELOW = 400;

export function drawBinomial(random: () => number, n: number, p: number): number {
  if (p > 0.5) return n - drawBinomial(random, n, 1 - p);
  if (n === 0 || p <= 0) return 0;
  if (n * p >= COUNTED_BELOW) {
    const drawn = Math.round(n * p + Math.sqrt(n * p * (1 - p)) * drawNormal(random));
    return Math.min(n, Math.max(0, drawn));
  }
  // By going up from 0 until the drawn share is passed.
  const odds = p / (1 - p);
  let chance = Math.exp(n * Math.log1p(-p));
  let below = chance;
  const drawn = random();
  let count = 0;
  while (drawn >= below && count < n) {
    chance *= ((n - count) / (count + 1)) * odds;
    below += chance;
    count++;
    if (chance < 1e-300) break;
  }
  return count;
}

export function drawMultinomial(random: () => number, n: number, shares: readonly number[]): number[] {
  let left = n;
  let whole = 1;
  return shares.map((share, i) => {
    const count = i === shares.length - 1 ? left : drawBinomial(random, left, Math.min(1, share / whole));
    left -= count;
    whole -= share;
    return count;
  });
}
