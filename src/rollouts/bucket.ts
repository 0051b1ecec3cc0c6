// Where a unit falls in [0, 1), for a seed.

import { fnv1a } from './fnv.ts';

/** The unit's text: a JSON array, so that ['a', 'b,c'] and ['a,b', 'c'] are two units. */
export function unitText(values: readonly string[]): string {
  return JSON.stringify(values);
}

/**
 * A multiple of 1/10000 in [0, 1): the same on every server, for ever. Hashed twice, so that the buckets of two seeds
 * are independent (with one pass they correlate, and one experiment's arms would lean into another's).
 */
export function bucket(seed: string, unit: string): number {
  return (fnv1a(String(fnv1a(seed + unit))) % 10_000) / 10_000;
}
