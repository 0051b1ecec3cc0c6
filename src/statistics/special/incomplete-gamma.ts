// The regularised incomplete gamma functions: tails of the gamma, chi-square and normal distributions. The series below
// x = a + 1, Lentz' continued fraction above (Press et al., "Numerical Recipes", 6.2), so that neither is a difference.

import { gammaFront } from './ln-gamma.ts';

const PRECISION = 1e-16;
const TINY = 1e-300;
/** Both need some √a steps near their border. */
const MOST_STEPS = 1_000_000;

/** P(a, x): the share of a gamma variable of shape a and scale 1 that is at most x. */
export function gammaP(a: number, x: number): number {
  if (!(x > 0)) return Number.isNaN(x) ? Number.NaN : 0;
  return x < a + 1 ? bySeries(a, x) : 1 - byFraction(a, x);
}

/** Q(a, x) = 1 − P(a, x), exact where it is small. */
export function gammaQ(a: number, x: number): number {
  if (!(x > 0)) return Number.isNaN(x) ? Number.NaN : 1;
  return x < a + 1 ? 1 - bySeries(a, x) : byFraction(a, x);
}

/** P(χ² ≥ x) with `df` degrees of freedom; without a degree of freedom nothing is strange (1). */
export function chiSquareP(x: number, df: number): number {
  return df <= 0 ? 1 : gammaQ(df / 2, x / 2);
}

function bySeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = a + 1; n < a + MOST_STEPS; n++) {
    term *= x / n;
    sum += term;
    if (term < sum * PRECISION) break;
  }
  return sum * gammaFront(a, x);
}

function byFraction(a: number, x: number): number {
  if (x === Number.POSITIVE_INFINITY) return 0;
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < MOST_STEPS; i++) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / notZero(an * d + b);
    c = notZero(b + an / c);
    const change = d * c;
    h *= change;
    if (Math.abs(change - 1) < PRECISION * 4) break;
  }
  return h * gammaFront(a, x);
}

function notZero(x: number): number {
  return Math.abs(x) < TINY ? TINY : x;
}
