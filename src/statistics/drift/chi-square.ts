// χ² tests of counts by bin: against a reference's shares as if they were the truth, and of two samples alike.

import { chiSquareP } from '../special/incomplete-gamma.ts';
import { type Counts, sameBins, total } from './shares.ts';

/**
 * Pearson's test of `cur` against the shares of `ref`, p. As the reference is taken for the truth it is for one that is far
 * greater; the page of numbers that a window shows has this one. A bin that the reference hasn't can't be (p = 0).
 */
export function chiSquareAgainst(ref: Counts, cur: Counts): number {
  const bins = sameBins(ref, cur);
  const scale = total(cur) / total(ref);
  let statistic = 0;
  let used = 0;
  for (let i = 0; i < bins; i++) {
    const expected = (ref[i] as number) * scale;
    const count = cur[i] as number;
    if (expected > 0) {
      statistic += (count - expected) ** 2 / expected;
      used++;
    } else if (count > 0) return 0;
  }
  return chiSquareP(statistic, used - 1);
}

/** Pearson's test that two samples have one distribution, p. Bins that neither has are none. */
export function chiSquareTwoSample(ref: Counts, cur: Counts): number {
  const bins = sameBins(ref, cur);
  const n = total(ref);
  const m = total(cur);
  if (n === 0 || m === 0) return 1;
  let statistic = 0;
  let used = 0;
  for (let i = 0; i < bins; i++) {
    const a = ref[i] as number;
    const b = cur[i] as number;
    if (a + b === 0) continue;
    used++;
    // The two cells' parts of the 2 × B table in one, without their cancelling.
    statistic += (a * m - b * n) ** 2 / (n * m * (a + b));
  }
  return chiSquareP(statistic, used - 1);
}
