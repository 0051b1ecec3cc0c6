// The one node that an LMDB store is, and when its records end.

import type { Micros } from '../../core/index.ts';

export const NODE = 'lmdb';

export function expiryAfter(now: Micros, lifetimeMs: number | undefined, waitsMs = 0): Micros {
  return lifetimeMs === undefined ? Number.POSITIVE_INFINITY : now + (lifetimeMs + waitsMs) * 1000;
}
