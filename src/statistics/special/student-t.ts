// Student's t: how strange a mean is when its spread was estimated too.

import { betaI } from './incomplete-beta.ts';
import { normalQuantile, normalTwoSidedP } from './normal.ts';

/** Past this t is the normal to the last digits that anyone reads. */
const NORMAL_FROM = 1e8;

/** P(|T| ≥ |t|) with `df` degrees of freedom, which need not be whole (Abramowitz and Stegun 26.7.1). */
export function studentTTwoSidedP(t: number, df: number): number {
  if (Number.isNaN(t) || !(df > 0)) return Number.NaN;
  if (df >= NORMAL_FROM) return normalTwoSidedP(t);
  if (!Number.isFinite(t)) return 0;
  const whole = df + t * t;
  return betaI(df / 2, 0.5, df / whole, (t * t) / whole);
}

/** The t with P(|T| ≥ t) = alpha: half of a 1 − alpha interval, in standard errors. */
export function studentTQuantile(alpha: number, df: number): number {
  if (!(alpha > 0 && alpha < 1) || !(df > 0)) return Number.NaN;
  const normal = normalQuantile(1 - alpha / 2);
  if (df >= NORMAL_FROM) return normal;
  let low = 0;
  let high = Math.max(1, normal);
  while (studentTTwoSidedP(high, df) > alpha && Number.isFinite(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > high * 1e-13) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (studentTTwoSidedP(middle, df) > alpha) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
