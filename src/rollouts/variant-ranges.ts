// Which buckets belong to which variant: laid out so that a variant which grows keeps every bucket it had.

import { BUCKETS } from './fnv.ts';

export interface WeightedVariant {
  readonly name: string;
  /** Percent, in steps of 0.01; all sum to 100. */
  readonly weight: number;
}

/**
 * Variant index by bucket.
 *
 * One variant is the base: the one named "stable", else the first listed. Every other has a fixed home, the k-th of
 * them (in listed order) at 0, 1/2, 1/4, 3/4, 1/8, … of the range, and fills upward from there up to the next home;
 * what does not fit goes on over free buckets. The base has what is left. Hence, while only the base gives or takes:
 * a variant that grows keeps all its buckets, always; and the other variants keep theirs too, as long as each weight
 * fits into its home (with one candidate: 100 %; with two: 50 % each; with three or four: 25 % at least).
 */
export function layOut(variants: readonly WeightedVariant[]): Uint16Array {
  const base = Math.max(
    variants.findIndex(({ name }) => name === 'stable'),
    0,
  );
  const table = new Uint16Array(BUCKETS).fill(base);
  const isTaken = new Uint8Array(BUCKETS);
  const candidates = variants.map((_, index) => index).filter((index) => index !== base);
  const homes = candidates.map((_, order) => homeOf(order));
  const take = (bucket: number, index: number): void => {
    table[bucket] = index;
    isTaken[bucket] = 1;
  };

  const left = candidates.map((index, order) => {
    const home = homes[order] as number;
    const end = Math.min(BUCKETS, ...homes.filter((other) => other > home));
    const wanted = Math.round((variants[index] as WeightedVariant).weight * 100);
    const fits = Math.min(wanted, end - home);
    for (let bucket = home; bucket < home + fits; bucket++) take(bucket, index);
    return wanted - fits;
  });
  candidates.forEach((index, order) => {
    const home = homes[order] as number;
    for (let step = 0, rest = left[order] as number; rest > 0 && step < BUCKETS; step++) {
      const bucket = (home + step) % BUCKETS;
      if (isTaken[bucket] === 1) continue;
      take(bucket, index);
      rest--;
    }
  });
  return table;
}

// van der Corput's sequence in base 2: each new home halves a gap, and no earlier home moves.
function homeOf(order: number): number {
  let fraction = 0;
  for (let rest = order, weight = 0.5; rest > 0; rest >>= 1, weight /= 2) if ((rest & 1) === 1) fraction += weight;
  return Math.floor(fraction * BUCKETS);
}
