// So many requests a second of each key or address: a token bucket each, that holds one second's.

import { createLastUsed } from './last-used.ts';

export interface RateLimit {
  /** False when the bucket of `who` is empty. */
  take(who: string): boolean;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Past it the one that was silent for longest is forgotten, and begins with a full bucket. */
const MOST_BUCKETS = 10_000;

/** `nowMs` is steady; `burst` is what a bucket holds. */
export function createRateLimit(
  perSecond: number,
  nowMs: () => number = () => performance.now(),
  burst: number = perSecond,
): RateLimit {
  const buckets = createLastUsed<string, Bucket>(MOST_BUCKETS);
  return {
    take(who) {
      const now = nowMs();
      let bucket = buckets.get(who);
      if (bucket === undefined) buckets.set(who, (bucket = { tokens: burst, atMs: now }));
      bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) * perSecond) / 1000);
      bucket.atMs = now;
      if (bucket.tokens < 1) return false;
      bucket.tokens -= 1;
      return true;
    },
  };
}
