// Counts by bin as shares, which the distances between two distributions are made of.

export type Counts = ArrayLike<number>;

/** `extra` is added to each bin first. */
export function sharesOf(counts: Counts, extra = 0): Float64Array {
  const whole = total(counts) + extra * counts.length;
  return Float64Array.from(counts, (count) => (count + extra) / whole);
}

export function total(counts: Counts): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += counts[i] as number;
  return sum;
}

/** Throws where the two don't have the same bins. */
export function sameBins(ref: Counts, cur: Counts): number {
  if (ref.length !== cur.length)
    throw new RangeError(`${ref.length} and ${cur.length} counts are not of the same bins`);
  return ref.length;
}

/** Σ f(reference's share, current share) over bins. */
export function sumOver(p: Float64Array, q: Float64Array, f: (p: number, q: number) => number): number {
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += f(p[i] as number, q[i] as number);
  return sum;
}
