// Winsorising: values past a quantile count as that quantile, so that a few units don't decide a mean.

/** The values at two shares of all arms' units together; cut apart, arms would differ by their cuts. */
export function winsorLimits(
  values: ArrayLike<number>,
  { lower = 0, upper = 1 }: { readonly lower?: number; readonly upper?: number },
): readonly [low: number, high: number] {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
  return [lower <= 0 ? Number.NEGATIVE_INFINITY : at(lower), upper >= 1 ? Number.POSITIVE_INFINITY : at(upper)];
}

export function winsorise(value: number, [low, high]: readonly [low: number, high: number]): number {
  return Math.min(high, Math.max(low, value));
}
