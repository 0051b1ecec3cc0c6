// Which units a shadow gets copies of: by a seed of its own, so that being shadowed has nothing to do with the variant.

import { BUCKETS } from '../registry/index.ts';
import { bucketOf } from './fnv.ts';

/** Whether a shadow version gets a copy of the unit's requests: monotone in `percent` (0 to 100). `unit`: its text. */
export function isShadowed(salt: string, version: number, percent: number, unit: string): boolean {
  return bucketOf(`${salt}/shadow/${version}/`, unit) < (percent / 100) * BUCKETS;
}
