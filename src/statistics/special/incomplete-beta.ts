// The regularised incomplete beta function, which Student's t is a case of: Lentz' continued fraction (Press et al.,
// "Numerical Recipes", 6.4), on the side where it converges fast.

import { lnGamma, lnGammaRise } from './ln-gamma.ts';

const PRECISION = 1e-16;
const TINY = 1e-300;
const MOST_STEPS = 100_000;

/** I_x(a, b) for x in [0, 1]; `rest` is 1 − x where the caller knows it better than a subtraction would. */
export function betaI(a: number, b: number, x: number, rest = 1 - x): number {
  if (x <= 0) return 0;
  if (rest <= 0) return 1;
  const lnX = rest < 0.5 ? Math.log1p(-rest) : Math.log(x);
  const lnRest = x < 0.5 ? Math.log1p(-x) : Math.log(rest);
  const front = Math.exp(lnGammaRise(a, b) - lnGamma(b) + a * lnX + b * lnRest);
  return x < (a + 1) / (a + b + 2) ? (front * fraction(a, b, x)) / a : 1 - (front * fraction(b, a, rest)) / b;
}

function fraction(a: number, b: number, x: number): number {
  let c = 1;
  let d = 1 / notZero(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < MOST_STEPS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / notZero(1 + even * d);
    c = notZero(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / notZero(1 + odd * d);
    c = notZero(1 + odd / c);
    const change = d * c;
    h *= change;
    if (Math.abs(change - 1) < PRECISION * 4) break;
  }
  return h;
}

function notZero(x: number): number {
  return Math.abs(x) < TINY ? TINY : x;
}
