// Wasserstein's distance of two samples: how far their values must be moved, on average, to lie alike; in their own unit.

/** W₁ = ∫|F − G| over both samples' values (Vallender 1974). An empty sample is nowhere: NaN. */
export function wasserstein(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length === 0 || b.length === 0) return Number.NaN;
  const x = Float64Array.from(a).sort();
  const y = Float64Array.from(b).sort();
  let sum = 0;
  let before = Math.min(x[0] as number, y[0] as number);
  for (let i = 0, j = 0; i < x.length || j < y.length; ) {
    const value = Math.min(x[i] ?? Number.POSITIVE_INFINITY, y[j] ?? Number.POSITIVE_INFINITY);
    sum += Math.abs(i / x.length - j / y.length) * (value - before);
    while (i < x.length && (x[i] as number) <= value) i++;
    while (j < y.length && (y[j] as number) <= value) j++;
    before = value;
  }
  return sum;
}
