// Counts of positive numbers by bucket, each of a fixed relative width, whatever their size: the buckets of a DDSketch
// (Masson, Rim and Lee 2019). A value's bucket depends on the value alone, so no order of adding and no split shows.

/** A value that a bucket stands for is within this share of each that fell into it. */
export const RELATIVE_ERROR = 0.01;

const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const PER_NATURAL_LOG = 1 / Math.log(GAMMA);

/** `counts[i]` is of bucket `first + i`, which holds (γ^(k−1), γ^k]. */
export interface LogBuckets {
  first: number;
  counts: Float64Array;
}

export interface PackedBuckets {
  readonly first: number;
  readonly counts: readonly number[];
}

export function createBuckets(): LogBuckets {
  return { first: 0, counts: new Float64Array(0) };
}

export function addToBuckets(buckets: LogBuckets, value: number, times: number): void {
  const at = Math.ceil(Math.log(value) * PER_NATURAL_LOG) - buckets.first;
  if (at >= 0 && at < buckets.counts.length) buckets.counts[at] = (buckets.counts[at] as number) + times;
  else widen(buckets, at + buckets.first, times);
}

export function mergeBuckets(into: LogBuckets, from: LogBuckets): void {
  from.counts.forEach((count, i) => {
    if (count > 0) addAt(into, from.first + i, count);
  });
}

/** The point of a bucket that is at most the relative error from both of its ends. */
export function valueOfBucket(bucket: number): number {
  return (2 * GAMMA ** bucket) / (GAMMA + 1);
}

/** Buckets that hold something, ascending. */
export function* eachBucket({ first, counts }: LogBuckets): Generator<readonly [bucket: number, count: number]> {
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] as number;
    if (count > 0) yield [first + i, count];
  }
}

/** The same buckets give the same, however they came about. */
export function packBuckets(buckets: LogBuckets): PackedBuckets {
  const held = [...eachBucket(buckets)].map(([bucket]) => bucket);
  const first = held[0] ?? 0;
  const last = held.at(-1) ?? -1;
  const counts = Array.from({ length: last - first + 1 }, (_, i) => buckets.counts[first - buckets.first + i] ?? 0);
  return { first, counts };
}

export function unpackBuckets({ first, counts }: PackedBuckets): LogBuckets {
  return { first, counts: Float64Array.from(counts) };
}

function addAt(buckets: LogBuckets, bucket: number, times: number): void {
  const at = bucket - buckets.first;
  if (at >= 0 && at < buckets.counts.length) buckets.counts[at] = (buckets.counts[at] as number) + times;
  else widen(buckets, bucket, times);
}

/** Doubles reach over some 70,000 buckets, and values of one feature over some hundreds. */
function widen(buckets: LogBuckets, bucket: number, times: number): void {
  const { first, counts } = buckets;
  const isEmpty = counts.length === 0;
  const spare = Math.max(64, counts.length >> 1);
  const from = isEmpty ? bucket - 32 : bucket < first ? bucket - spare : first;
  const to = isEmpty ? bucket + 32 : bucket >= first + counts.length ? bucket + spare : first + counts.length - 1;
  const wider = new Float64Array(to - from + 1);
  if (!isEmpty) wider.set(counts, first - from);
  wider[bucket - from] = (wider[bucket - from] as number) + times;
  buckets.first = from;
  buckets.counts = wider;
}
