// The latency sketch against the sorted latencies themselves.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addLatency,
  countAtMost,
  createSketch,
  type LatencySketch,
  mergeSketch,
  packSketch,
  quantileMicros,
  RELATIVE_ERROR,
  unpackSketch,
} from '../../src/monitoring/monitor/latency-sketch.ts';

// Evenly over the magnitudes, from 1 µs to 1,000 s.
const latency = fc.double({ min: 0, max: Math.log(1e9), noNaN: true }).map(Math.exp);
const latencies = fc.array(latency, { minLength: 1, maxLength: 300 });

function sketchOf(values: readonly number[]): LatencySketch {
  const sketch = createSketch();
  for (const value of values) addLatency(sketch, value);
  return sketch;
}

describe('the latency sketch', () => {
  it('gives every quantile within its relative error', () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, quantile) => {
        const sorted = values.toSorted((a, b) => a - b);
        const exact = sorted[Math.floor(quantile * (sorted.length - 1))] as number;
        const estimate = quantileMicros(sketchOf(values), quantile) as number;
        expect(Math.abs(estimate - exact)).toBeLessThanOrEqual(exact * RELATIVE_ERROR * (1 + 1e-9));
      }),
    );
  });

  it('merges to what one sketch would have counted, also when it comes from another process', () => {
    fc.assert(
      fc.property(latencies, latencies, (left, right) => {
        const merged = sketchOf(left);
        const sent = JSON.parse(JSON.stringify(packSketch(sketchOf(right)))) as ReturnType<typeof packSketch>;
        mergeSketch(merged, unpackSketch(sent));
        const whole = sketchOf([...left, ...right]);
        expect(merged.counts).toEqual(whole.counts);
        expect([merged.count, merged.maxMicros]).toEqual([whole.count, whole.maxMicros]);
      }),
    );
  });

  it('counts what is at most a bound, to a bucket’s width', () => {
    fc.assert(
      fc.property(latencies, latency, (values, bound) => {
        const counted = countAtMost(sketchOf(values), bound);
        const atMost = (limit: number): number => values.filter((value) => value <= limit).length;
        expect(counted).toBeLessThanOrEqual(atMost(bound * (1 + 1e-6)));
        expect(counted).toBeGreaterThanOrEqual(atMost(bound * (1 - 2 * RELATIVE_ERROR)));
      }),
    );
  });

  it('has no quantile while it is empty, and holds times out of range in its outer buckets', () => {
    expect(quantileMicros(createSketch(), 0.5)).toBeNull();
    expect(quantileMicros(sketchOf([0, 1e12]), 0)).toBeLessThanOrEqual(1);
    expect(countAtMost(sketchOf([0]), 1)).toBe(1);
  });
});
