// Kolmogorov and Smirnov's two-sample test: the greatest distance of two empirical distributions, and how strange it is.

/** Up to so many pairs the p is counted over all paths, in a time that grows with them; past it the limit is close. */
const EXACT_PAIRS = 10_000_000;

export interface KolmogorovSmirnov {
  /** D, 0 to 1. */
  readonly distance: number;
  readonly p: number;
}

/** Two-sided. The exact p holds for values without ties (with them it is too great); past 10⁷ pairs it is the limit's, which is within a tenth of it. */
export function kolmogorovSmirnov(a: ArrayLike<number>, b: ArrayLike<number>): KolmogorovSmirnov {
  if (a.length === 0 || b.length === 0) return { distance: 0, p: 1 };
  const x = Float64Array.from(a).sort();
  const y = Float64Array.from(b).sort();
  const n = x.length;
  const m = y.length;
  // In units of 1/(nm), where distances are whole numbers and equal ones equal.
  let most = 0;
  for (let i = 0, j = 0; i < n && j < m; ) {
    const value = Math.min(x[i] as number, y[j] as number);
    while (i < n && (x[i] as number) <= value) i++;
    while (j < m && (y[j] as number) <= value) j++;
    most = Math.max(most, Math.abs(i * m - j * n));
  }
  const p = n * m <= EXACT_PAIRS ? exactP(n, m, most) : limitP(most / (n * m), (n * m) / (n + m));
  return { distance: most / (n * m), p };
}

/**
 * The share of lattice paths from (0, 0) to (n, m) that reach |i/n − j/m| ≥ D: each orders the pooled values, all are as likely.
 * The last step into (i, j) came from (i − 1, j) in i/(i + j) of them (Hodges 1958), so shares add up without a difference.
 */
function exactP(n: number, m: number, most: number): number {
  if (most === 0) return 1;
  const row = new Float64Array(m + 1);
  for (let i = 0; i <= n; i++) {
    for (let j = 0; j <= m; j++) {
      if (Math.abs(i * m - j * n) >= most) row[j] = 1;
      else if (i + j === 0) row[j] = 0;
      else row[j] = (i * (row[j] as number) + j * (j > 0 ? (row[j - 1] as number) : 0)) / (i + j);
    }
  }
  return row[m] as number;
}

/** Kolmogorov's limit (1933) at (√e + .12 + .11/√e) D, e = nm/(n+m) (Stephens 1970). */
function limitP(distance: number, effective: number): number {
  const root = Math.sqrt(effective);
  const t = (root + 0.12 + 0.11 / root) * distance;
  if (t < 0.2) return 1;
  let sum = 0;
  for (let k = 1; k <= 100; k++) {
    const term = Math.exp(-2 * k * k * t * t);
    sum += k % 2 === 1 ? term : -term;
    if (term < 1e-18) break;
  }
  return Math.min(1, Math.max(0, 2 * sum));
}
