// Which variant a unit gets: a pure function of the endpoint's salt, the unit and the weights, the same everywhere.

import { bucketOf, BUCKETS } from './fnv.ts';
import { layOut, type WeightedVariant } from './variant-ranges.ts';

/** The part of an endpoint that decides. */
export interface AssignedEndpoint {
  readonly salt: string;
  /** At least one. */
  readonly variants: readonly WeightedVariant[];
}

// One layout for each list of variants that is in use; it goes when its endpoint's state does.
const layouts = new WeakMap<readonly WeightedVariant[], Uint16Array>();

/** The index of the variant for a unit, given as its columns' values as texts, in the endpoint's order. */
export function assign(endpoint: AssignedEndpoint, unitValues: readonly string[]): number {
  if (endpoint.variants.length === 1) return 0;
  let layout = layouts.get(endpoint.variants);
  if (layout === undefined) layouts.set(endpoint.variants, (layout = layOut(endpoint.variants)));
  return layout[bucketOf(endpoint.salt, unitText(unitValues))] as number;
}

/**
 * Whether a shadow version gets a copy of the unit's requests. Its seed is its own, so that being shadowed has nothing
 * to do with the variant; monotone in `percent` (0 to 100).
 */
export function isShadowed(salt: string, version: number, percent: number, unitValues: readonly string[]): boolean {
  return bucketOf(`${salt}/shadow/${version}/`, unitText(unitValues)) < (percent / 100) * BUCKETS;
}

// JSON keeps ["a","bc"] and ["ab","c"] apart.
function unitText(values: readonly string[]): string {
  return JSON.stringify(values);
}
