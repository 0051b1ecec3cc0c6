// What counts as slow: over 1.25 times the stable arm's p99 of the ten minutes before, on a bucket's edge, told each
// minute. Before three minutes nothing is.

const GAMMA = 1.02;
const BUCKETS = 800;
/** Bucket 0 begins at a hundredth of a millisecond. */
const FIRST = Math.log(0.01);
const MINUTES = 10;
const LEAST_MINUTES = 3;

export interface SlowThreshold {
  isSlow(ms: number): boolean;
  /** A latency of the stable arm. */
  add(ms: number): void;
  nextMinute(): void;
}

export function createSlowThreshold(): SlowThreshold {
  const minutes = [new Uint32Array(BUCKETS)];
  let slowFrom = Number.POSITIVE_INFINITY;
  const perBucket = 1 / Math.log(GAMMA);
  const bucketOf = (ms: number): number =>
    Math.min(BUCKETS - 1, Math.max(0, Math.ceil((Math.log(ms) - FIRST) * perBucket)));
  return {
    isSlow: (ms) => ms > slowFrom,
    add(ms) {
      const counts = minutes.at(-1) as Uint32Array;
      const bucket = bucketOf(ms);
      counts[bucket] = (counts[bucket] as number) + 1;
    },
    nextMinute() {
      if (minutes.length > LEAST_MINUTES) slowFrom = 1.25 * quantileEdge(minutes, 0.99);
      minutes.push(new Uint32Array(BUCKETS));
      if (minutes.length > MINUTES) minutes.shift();
    },
  };
}

function quantileEdge(minutes: readonly Uint32Array[], q: number): number {
  const total = minutes.reduce((sum, counts) => sum + counts.reduce((whole, count) => whole + count, 0), 0);
  let below = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    for (const counts of minutes) below += counts[bucket] as number;
    if (below >= q * total && total > 0) return Math.exp(FIRST + bucket * Math.log(GAMMA));
  }
  return Number.POSITIVE_INFINITY;
}
