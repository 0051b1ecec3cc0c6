// The hash behind every assignment: FNV-1a, 32 bits, over UTF-16 code units, twice, so that neighbours spread. It is
// GrowthBook's hash version 2, so its SDKs give a unit the same bucket.

import { BUCKETS } from '../registry/index.ts';

const OFFSET = 0x811c9dc5;
const PRIME = 16777619;
const ZERO = 48;

/** FNV-1a over the text's UTF-16 code units, as an unsigned 32-bit number; `from`: of the text that stands before it. */
export function fnv1a(text: string, from: number = OFFSET): number {
  let hash = from;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash >>> 0;
}

/**
 * The bucket, 0 to 9999, of a unit whose `fnv1a(seed + unit)` is `hash`: the same over its digits. This second pass matters:
 * without it, seeds that differ little give buckets that correlate, and one experiment's arms leak into the next one's.
 */
export function bucketOfHash(hash: number): number {
  let power = 1;
  while (hash / power >= 10) power *= 10;
  let again = OFFSET;
  for (let rest = hash; power >= 1; power /= 10) {
    const digit = Math.floor(rest / power);
    rest -= digit * power;
    again = Math.imul(again ^ (ZERO + digit), PRIME);
  }
  return (again >>> 0) % BUCKETS;
}

export function bucketOf(seed: string, unit: string): number {
  return bucketOfHash(fnv1a(unit, fnv1a(seed)));
}
