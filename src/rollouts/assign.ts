// Which variant of an endpoint a unit meets: a pure function of the endpoint's salt, the unit and the weights.

import { bucket, unitText } from './bucket.ts';

/** What assignment reads of an endpoint. Weights are per cent and sum to 100. */
export interface Assignable {
  readonly salt: string;
  readonly variants: readonly { readonly weight: number }[];
}

/**
 * The index of the unit's variant. The variants lie in [0, 1) one after the other, in their order, each as wide as its
 * weight, half-open. So when one variant grows and no other does, its new range holds its old one: none of its units
 * leaves it.
 */
export function assign({ salt, variants }: Assignable, unit: readonly string[]): number {
  if (variants.length === 1) return 0;
  const at = bucket(salt, unitText(unit)) * 100;
  let end = 0;
  let last = 0;
  for (let index = 0; index < variants.length; index++) {
    const { weight } = variants[index] as { weight: number };
    if (weight === 0) continue;
    end += weight;
    last = index;
    // Buckets are hundredths of a per cent: half of one is more than the sums can be off.
    if (at < end - 0.005) return index;
  }
  return last;
}

/** Whether a shadow of `percent` sees the unit. Its seed is its own: shadows and variants don't correlate. */
export function isShadowed(salt: string, unit: readonly string[], percent: number): boolean {
  return bucket(`${salt}/shadow`, unitText(unit)) * 100 < percent - 0.005;
}
