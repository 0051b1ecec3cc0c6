// Intervals that hold at every look at once: the mixture sequential probability ratio test on an estimate and its error.

export interface MsprtOptions {
  readonly difference: number;
  readonly se: number;
  /** The change worth knowing, in the difference's unit: intervals are narrowest where the error is near it. */
  readonly tau: number;
  readonly alpha: number;
  /** Each bound alone then holds at alpha. */
  readonly oneSided?: boolean;
}

export interface AlwaysInterval {
  readonly lo: number;
  readonly hi: number;
  readonly halfWidth: number;
}

/**
 * With q = τ²/se²: half-width se √(2(1 + 1/q) ln(√(1+q)/α)); one-sided, ln(1 + √(1+q)/(2α)) in the logarithm's place. A normal
 * prior of deviation τ over the difference (Robbins 1970; Johari et al. 2017, "Peeking at A/B tests"; Howard et al. 2021 for
 * one side; Waudby-Smith et al. 2021 for estimates that are normal only asymptotically: not before some hundred units).
 */
export function msprt({ difference, se, tau, alpha, oneSided = false }: MsprtOptions): AlwaysInterval {
  const halfWidth = se === 0 ? 0 : se * Math.sqrt(2 * widening(se, tau) * bar(se, tau, alpha, oneSided));
  return { lo: difference - halfWidth, hi: difference + halfWidth, halfWidth };
}

/** The least alpha at which the two-sided interval leaves zero out: 1/E, with E the mixture's likelihood ratio. */
export function msprtP({ difference, se, tau }: Pick<MsprtOptions, 'difference' | 'se' | 'tau'>): number {
  if (se === 0) return difference === 0 ? 1 : 0;
  const q = (tau / se) ** 2;
  const z = difference / se;
  return Math.min(1, Math.exp(0.5 * Math.log1p(q) - (z * z) / (2 * widening(se, tau))));
}

/**
 * τ of an interval that is narrowest at `units`, as GrowthBook tunes it: τ = ρσ with
 * ρ = √((−2 ln α + ln(1 − 2 ln α)) / N*), σ² = se² · n, n the units of both arms by now.
 */
export function sequentialTau(o: {
  readonly se: number;
  readonly n: number;
  readonly alpha: number;
  readonly units: number;
}): number {
  return sequentialRho(o.alpha, o.units) * o.se * Math.sqrt(o.n);
}

export function sequentialRho(alpha: number, units: number): number {
  const twice = -2 * Math.log(alpha);
  return Math.sqrt((twice + Math.log1p(twice)) / units);
}

function widening(se: number, tau: number): number {
  return 1 + (se / tau) ** 2;
}

function bar(se: number, tau: number, alpha: number, oneSided: boolean): number {
  const root = Math.sqrt(1 + (tau / se) ** 2);
  return oneSided ? Math.log1p(root / (2 * alpha)) : Math.log(root / alpha);
}
