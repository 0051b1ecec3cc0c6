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
  // Two halves of whole numbers that fit 31 bits: their digits cost no division of doubles.
  const high = Math.floor(hash / HALF) | 0;
  const low = (hash - high * HALF) | 0;
  const again = high > 0 ? addDigits(addDigits(OFFSET, high, false), low, true) : addDigits(OFFSET, low, false);
  return (again >>> 0) % BUCKETS;
}

const HALF = 100_000;

/** FNV-1a goes on over the digits of a number of five at most; `isPadded`: all five. */
function addDigits(from: number, number: number, isPadded: boolean): number {
  let hash = from;
  if (isPadded || number >= 10_000) hash = addDigit(hash, (number / 10_000) | 0);
  if (isPadded || number >= 1000) hash = addDigit(hash, ((number / 1000) | 0) % 10);
  if (isPadded || number >= 100) hash = addDigit(hash, ((number / 100) | 0) % 10);
  if (isPadded || number >= 10) hash = addDigit(hash, ((number / 10) | 0) % 10);
  return addDigit(hash, number % 10);
}

function addDigit(hash: number, digit: number): number {
  return Math.imul(hash ^ (ZERO + digit), PRIME);
}

export function bucketOf(seed: string, unit: string): number {
  return bucketOfHash(fnv1a(unit, fnv1a(seed)));
}
