// What a metric is, whatever it tells: its name by OpenTelemetry's conventions, its unit, and its points.

import { MICROS_PER_SECOND } from '../../core/index.ts';
import { countAtMost, type LatencySketch } from './latency-sketch.ts';

/** `s` and `By` are seconds and bytes, `1` a share; another unit is what is counted. */
export type Unit = 's' | 'By' | '1' | `{${string}}`;
export type Labels = Readonly<Record<string, string>>;

interface Described {
  /** Such as `headrace.request.duration`. */
  readonly name: string;
  readonly unit: Unit;
  readonly help: string;
}

export interface Numbers extends Described {
  /** A counter only grows. */
  readonly kind: 'counter' | 'gauge';
  readonly points: readonly { readonly labels: Labels; readonly value: number }[];
}

export interface Histograms extends Described {
  readonly kind: 'histogram';
  readonly points: readonly { readonly labels: Labels; readonly value: HistogramValue }[];
}

export interface HistogramValue {
  /** By bucket: those at most its bound, and above the one before; one more for what is above all bounds. */
  readonly counts: readonly number[];
  readonly count: number;
  /** In seconds. */
  readonly sum: number;
}

export type Metric = Numbers | Histograms;

/** Upper bounds of the histograms' buckets, in seconds. */
export const DURATION_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

export function histogramOf(latency: LatencySketch): HistogramValue {
  const upTo = [...DURATION_BOUNDS.map((bound) => countAtMost(latency, bound * MICROS_PER_SECOND)), latency.count];
  return {
    counts: upTo.map((count, at) => count - (upTo[at - 1] ?? 0)),
    count: latency.count,
    sum: latency.sumMicros / MICROS_PER_SECOND,
  };
}
