// The difference of two arms in a mean or ratio R = ΣY/ΣN over a ramp: compared step by step, so that a change of the
// base rate between steps is no difference, and with an error that knows rows of one unit belong together.

/** What one arm had in one step, by group of units (a unit is in the same group in every step and arm). */
export interface GroupSums {
  /** ΣY by group. */
  readonly y: ArrayLike<number>;
  /** ΣN by group: rows, units or a denominator. */
  readonly n: ArrayLike<number>;
}

export interface Stratum {
  readonly candidate: GroupSums;
  readonly base: GroupSums;
}

export interface StratifiedDifference {
  /** Δ = Σ v_s (R_cs − R_bs). */
  readonly difference: number;
  readonly se: number;
  /**
   * The same, where the candidate's values are taken to spread at least as the base's do. Of a few hundred units whose values are
   * skewed, those that lack the great ones by chance have a low mean and a small error at once: a drop that is none.
   */
  readonly seByBase: number;
  /** Σ v_s R_cs and Σ v_s R_bs: the two rates that differ by it. */
  readonly candidate: number;
  readonly base: number;
}

/**
 * Strata weigh v_s ∝ n_c n_b / (n_c + n_b), n being the step's ΣN (the weights of Mantel and Haenszel 1959). The error is linearised
 * by group of units: L_g = Σ_s v_s [(Y_cgs − R_cs N_cgs)/N_cs − (the same of b)], se² = G/(G−1) Σ L_g² (Deng, Knoblich and Lu
 * 2018, "Applying the delta method in metric analytics"). A unit that a ramp moved to the other arm is in the same group, so its
 * covariance counts. A step in which one arm has nothing says nothing; without any that does: undefined.
 */
export function stratifiedDifference(strata: readonly Stratum[]): StratifiedDifference | undefined {
  const told = strata
    .map((stratum) => ({ ...stratum, nc: total(stratum.candidate.n), nb: total(stratum.base.n) }))
    .filter(({ nc, nb }) => nc > 0 && nb > 0);
  const groups = told[0]?.candidate.n.length ?? 0;
  const whole = told.reduce((sum, { nc, nb }) => sum + (nc * nb) / (nc + nb), 0);
  if (groups < 2 || !(whole > 0)) return undefined;
  const parts = new Float64Array(groups);
  const own = new Float64Array(groups);
  const asBase = new Float64Array(groups);
  let candidate = 0;
  let base = 0;
  for (const { candidate: c, base: b, nc, nb } of told) {
    const weight = (nc * nb) / (nc + nb) / whole;
    candidate += weight * addParts(parts, c, nc, weight);
    base += weight * addParts(parts, b, nb, -weight);
    addParts(own, c, nc, weight);
    // What the base's groups would be with the candidate's ΣN: a mean's error falls with the root.
    addParts(asBase, b, nb, weight * Math.sqrt(nb / nc));
  }
  const scale = groups / (groups - 1);
  const se = Math.sqrt(scale * sumOfSquares(parts));
  const missing = Math.max(0, scale * (sumOfSquares(asBase) - sumOfSquares(own)));
  return { difference: candidate - base, se, seByBase: Math.sqrt(se * se + missing), candidate, base };
}

/** Adds an arm's part in L_g, and gives its rate. */
function addParts(parts: Float64Array, { y, n }: GroupSums, whole: number, weight: number): number {
  const rate = total(y) / whole;
  for (let g = 0; g < parts.length; g++)
    parts[g] = (parts[g] as number) + (weight * ((y[g] as number) - rate * (n[g] as number))) / whole;
  return rate;
}

function sumOfSquares(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}

function total(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
}
