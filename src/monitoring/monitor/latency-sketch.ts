// A histogram of latencies with a fixed relative error, whatever the distribution: DDSketch (Masson, Rim and Lee 2019,
// "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees"), with a fixed range of buckets.

/** A quantile is within this share of the true one. */
export const RELATIVE_ERROR = 0.01;

const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const PER_NATURAL_LOG = 1 / Math.log(GAMMA);
const LEAST_MICROS = 1;
const GREATEST_MICROS = 1e9;
const BUCKETS = Math.ceil(Math.log(GREATEST_MICROS) * PER_NATURAL_LOG) + 1;

/**
 * Counts by bucket: bucket i holds (γ^(i−1), γ^i] microseconds, with γ = (1 + α)/(1 − α). Below 1 µs is bucket 0; above
 * 1,000 s is the last.
 */
export interface LatencySketch {
  readonly counts: Float64Array;
  count: number;
  sumMicros: number;
  maxMicros: number;
}

export function createSketch(): LatencySketch {
  return { counts: new Float64Array(BUCKETS), count: 0, sumMicros: 0, maxMicros: 0 };
}

export function addLatency(sketch: LatencySketch, micros: number): void {
  const index = micros <= LEAST_MICROS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(micros) * PER_NATURAL_LOG));
  sketch.counts[index] = (sketch.counts[index] as number) + 1;
  sketch.count++;
  sketch.sumMicros += micros;
  if (micros > sketch.maxMicros) sketch.maxMicros = micros;
}

export function clearSketch(sketch: LatencySketch): void {
  sketch.counts.fill(0);
  sketch.count = sketch.sumMicros = sketch.maxMicros = 0;
}

/** Adds what `other` counted: the same as if all had been added to one. */
export function mergeSketch(into: LatencySketch, other: LatencySketch): void {
  for (let i = 0; i < BUCKETS; i++) into.counts[i] = (into.counts[i] as number) + (other.counts[i] as number);
  into.count += other.count;
  into.sumMicros += other.sumMicros;
  into.maxMicros = Math.max(into.maxMicros, other.maxMicros);
}

/** The latency at rank ⌊q(n − 1)⌋ within the relative error, in microseconds; null when nothing was added. */
export function quantileMicros(sketch: LatencySketch, quantile: number): number | null {
  if (sketch.count === 0) return null;
  const rank = Math.floor(quantile * (sketch.count - 1));
  let before = 0;
  for (let i = 0; i < BUCKETS; i++) {
    before += sketch.counts[i] as number;
    // The point of the bucket that is at most α from both of its ends.
    if (before > rank) return Math.min(sketch.maxMicros, (2 * GAMMA ** i) / (GAMMA + 1));
  }
  return sketch.maxMicros;
}

/** How many were at most `micros`, to a bucket's width (2α): a bucket counts when all of it is. */
export function countAtMost(sketch: LatencySketch, micros: number): number {
  // The bound itself may round to just below its bucket's end.
  const last = Math.min(BUCKETS - 1, Math.floor(Math.log(micros) * PER_NATURAL_LOG + 1e-9));
  let count = 0;
  for (let i = 0; i <= last; i++) count += sketch.counts[i] as number;
  return count;
}

/** The end of the bucket that `micros` falls into, as the last whole microsecond of it. */
export function roundedUp(micros: number): number {
  if (micros <= LEAST_MICROS) return LEAST_MICROS;
  return Math.floor(GAMMA ** Math.ceil(Math.log(micros) * PER_NATURAL_LOG));
}

/** A sketch as plain data, for another process: bucket, count, bucket, count, … */
export interface PackedSketch {
  readonly counts: readonly number[];
  readonly sumMicros: number;
  readonly maxMicros: number;
}

export function packSketch({ counts, sumMicros, maxMicros }: LatencySketch): PackedSketch {
  const packed: number[] = [];
  counts.forEach((count, index) => {
    if (count > 0) packed.push(index, count);
  });
  return { counts: packed, sumMicros, maxMicros };
}

export function unpackSketch({ counts, sumMicros, maxMicros }: PackedSketch): LatencySketch {
  const sketch = createSketch();
  for (let i = 0; i + 1 < counts.length; i += 2) {
    sketch.counts[counts[i] as number] = counts[i + 1] as number;
    sketch.count += counts[i + 1] as number;
  }
  return Object.assign(sketch, { sumMicros, maxMicros });
}
