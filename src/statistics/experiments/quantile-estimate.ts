// A quantile of an arm's rows, and how sure it is when rows of one unit belong together.

import { normalQuantile } from '../special/normal.ts';
import type { ArmEstimate } from './arm-estimate.ts';

export interface ClusteredValues {
  readonly values: ArrayLike<number>;
  /** The unit of each value, as any number that is its own. */
  readonly units: ArrayLike<number>;
}

/** Half of the stretch that the density is read from, in standard errors. */
const STRETCH = normalQuantile(0.975);

/**
 * The q-quantile (q in (0, 1)): the share of rows below it is a ratio of sums over units, whose variance s² = m/(m−1) Σ(b_u − q n_u)²
 * / N² knows the clusters; the quantiles at q ∓ 1.96 s are then as far apart as the estimate's own interval is wide (Deng,
 * Knoblich and Lu 2018, "Applying the delta method in metric analytics", 4.2). Wants tens of units beyond the quantile:
 * fixed horizon only.
 */
export function quantileEstimate({ values, units }: ClusteredValues, q: number): ArmEstimate {
  if (!(q > 0 && q < 1)) throw new RangeError(`${q} is no quantile within (0, 1)`);
  const sorted = Float64Array.from(values).sort();
  const estimate = at(sorted, q);
  const byUnit = new Map<number, number>();
  for (let i = 0; i < values.length; i++) {
    const unit = units[i] as number;
    byUnit.set(unit, (byUnit.get(unit) ?? 0) + Number((values[i] as number) <= estimate) - q);
  }
  const m = byUnit.size;
  let squares = 0;
  for (const part of byUnit.values()) squares += part * part;
  const s = Math.sqrt((m / (m - 1)) * squares) / sorted.length;
  const width = at(sorted, q + STRETCH * s) - at(sorted, q - STRETCH * s);
  return { estimate, variance: (width / (2 * STRETCH)) ** 2, n: m };
}

/** The value that a share q of the sorted ones lies below, between neighbours in proportion. */
function at(sorted: Float64Array, q: number): number {
  const place = Math.min(1, Math.max(0, q)) * (sorted.length - 1);
  const low = Math.floor(place);
  const below = sorted[low] ?? Number.NaN;
  return below + (place - low) * ((sorted[low + 1] ?? below) - below);
}
