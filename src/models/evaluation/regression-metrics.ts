// How far a model's numbers are from what came, by scikit-learn's definitions.

/** What a model said and what came, of the same rows; both of the same length. */
export interface RegressionRows {
  readonly scores: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/** Null where it is not defined: of no rows, and r² of one. */
export interface RegressionMetrics {
  /** Mean absolute error. `mean_absolute_error`. */
  readonly mae: number | null;
  /** Square root of the mean squared error. `root_mean_squared_error`. */
  readonly rmse: number | null;
  /**
   * Share of the variance that is told: 1 − Σ(y − ŷ)² / Σ(y − ȳ)². Where all rows are the same, 1 for telling each exactly
   * and 0 else. `r2_score`.
   */
  readonly r2: number | null;
}

export function regressionMetrics({ scores, labels }: RegressionRows): RegressionMetrics {
  const rows = scores.length;
  if (rows === 0) return { mae: null, rmse: null, r2: null };
  let [absolute, square, sum] = [0, 0, 0];
  for (let i = 0; i < rows; i++) {
    const error = Number(labels[i]) - Number(scores[i]);
    absolute += Math.abs(error);
    square += error ** 2;
    sum += Number(labels[i]);
  }
  const mean = sum / rows;
  let spread = 0;
  for (let i = 0; i < rows; i++) spread += (Number(labels[i]) - mean) ** 2;
  return { mae: absolute / rows, rmse: Math.sqrt(square / rows), r2: rows < 2 ? null : told(square, spread) };
}

function told(square: number, spread: number): number {
  if (spread === 0) return square === 0 ? 1 : 0;
  return 1 - square / spread;
}
