// A sketch of latencies as the few numbers that people look at.

import { type LatencySketch, quantileMicros } from './latency-sketch.ts';

/** Milliseconds, each within 1 %; null when nothing was answered. */
export interface LatencySnapshot {
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export function latencySnapshot(latency: LatencySketch): LatencySnapshot {
  const isEmpty = latency.count === 0;
  const quantile = (q: number): number | null => {
    const micros = quantileMicros(latency, q);
    return micros === null ? null : round(micros / 1000);
  };
  return {
    mean: isEmpty ? null : round(latency.sumMicros / latency.count / 1000),
    p50: quantile(0.5),
    p90: quantile(0.9),
    p99: quantile(0.99),
    max: isEmpty ? null : round(latency.maxMicros / 1000),
  };
}

const round = (value: number): number => Number(value.toPrecision(4));
