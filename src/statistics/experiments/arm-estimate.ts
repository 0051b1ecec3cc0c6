// What an arm's metric comes to: an estimate and how sure it is, from sums over units alone, so that a database can make
// the sums and nothing here sees a row.

/** Sums over an arm's units of one value a unit. */
export interface UnitSums {
  readonly n: number;
  readonly sum: number;
  readonly squares: number;
}

/** Sums over an arm's units of two values a unit: numerator y and denominator (or earlier value) x. */
export interface PairSums {
  readonly n: number;
  readonly y: number;
  readonly yy: number;
  readonly x: number;
  readonly xx: number;
  readonly xy: number;
}

export interface ArmEstimate {
  readonly estimate: number;
  /** Of the estimate: the square of its standard error. */
  readonly variance: number;
  /** Units. */
  readonly n: number;
}

/** The mean a unit. Below two units the variance is unknown (NaN). */
export function meanEstimate({ n, sum, squares }: UnitSums): ArmEstimate {
  return { estimate: sum / n, variance: spread(n, sum, squares) / n, n };
}

/**
 * ΣY/ΣD with units as what varies: `(VarM/D̄² + VarD·M̄²/D̄⁴ − 2Cov·M̄/D̄³) / n` by the delta method (Deng, Knoblich and Lu 2018,
 * "Applying the delta method in metric analytics", eq. 4).
 */
export function ratioEstimate({ n, y, yy, x, xx, xy }: PairSums): ArmEstimate {
  const top = y / n;
  const bottom = x / n;
  const ofUnit =
    spread(n, y, yy) / bottom ** 2 +
    (spread(n, x, xx) * top ** 2) / bottom ** 4 -
    (2 * moment(n, y, x, xy) * top) / bottom ** 3;
  // Equal rows cancel but for the last place, which may be below zero.
  return { estimate: y / x, variance: Math.max(0, ofUnit) / n, n };
}

/** Sample covariance (n − 1) from sums: Σa, Σb, Σab. */
export function moment(n: number, a: number, b: number, ab: number): number {
  return (ab - (a / n) * b) / (n - 1);
}

/** Sample variance (n − 1) from sums: Σa, Σa². Never below zero, where equal values cancel but for the last place. */
export function spread(n: number, a: number, aa: number): number {
  const value = moment(n, a, a, aa);
  return n > 1 ? Math.max(0, value) : value;
}
