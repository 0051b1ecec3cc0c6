// A column's sketch as people and records read it: shares, quantiles, a histogram, the most frequent values.

import { estimateDistinct } from '../aggregation/index.ts';
import { type DataType, meanOfTotal, typeName } from '../core/index.ts';
import { type ColumnSketch, type Countable, isCountable, type NumberSketch } from './column-sketch.ts';
import { eachBucket, valueOfBucket } from './log-buckets.ts';

export interface ColumnSummary {
  readonly name: string;
  readonly type: string;
  readonly rows: number;
  readonly nulls: number;
  readonly nullRate: number;
  /** How many different values there are, of numbers finite ones: exact up to 1,000, above within some 2 %. Left out where the type has no such thing. */
  readonly distinct?: number;
  /** Of finite numbers, timestamps in micros; left out where there is none. */
  readonly mean?: number;
  readonly min?: number;
  readonly max?: number;
  /** Exact up to 1,000 different values, above within 1 % of one that lies there; of times there are none, nor a histogram. */
  readonly quantiles?: Quantiles;
  readonly histogram?: Histogram;
  /** The most frequent values, the first first; left out where there are more than 1,000 of them. */
  readonly top?: readonly TopValue[];
  /** NaN and infinities, where there are any. */
  readonly notFinite?: number;
}

export interface Quantiles {
  readonly p01: number;
  readonly p05: number;
  readonly p25: number;
  readonly p50: number;
  readonly p75: number;
  readonly p95: number;
  readonly p99: number;
}

/** `counts[i]` lie from `edges[i]` to `edges[i + 1]`; what lies outside is in the first and the last. */
export interface Histogram {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

export interface TopValue {
  /** A whole number that no double holds as its digits. */
  readonly value: Exclude<Countable, bigint>;
  readonly rows: number;
}

const BINS = 10;
const TOP = 10;

export function summarize(name: string, sketch: ColumnSketch): ColumnSummary {
  const { type, rows, nulls, values, numbers } = sketch;
  const distinct = values === null ? estimateDistinct(sketch.distinct) : values.size;
  return {
    name,
    type: typeName(type),
    rows,
    nulls,
    nullRate: rows === 0 ? 0 : nulls / rows,
    ...(isCountable(type) && { distinct }),
    ...(numbers !== null && summarizeNumbers(sketch, numbers)),
    ...(values !== null && isCountable(type) && { top: topOf(values, type) }),
  };
}

type NumberSummary = Pick<ColumnSummary, 'mean' | 'min' | 'max' | 'quantiles' | 'histogram' | 'notFinite'>;

/** One percent of a time since 1970 is half a year: of times no quantiles are told. */
function summarizeNumbers({ type, values }: ColumnSketch, numbers: NumberSketch): NumberSummary {
  const { min, max, nan, infinite } = numbers;
  const steps = values === null ? stepsOf(numbers) : exactSteps(values);
  const count = steps.reduce((sum, [, times]) => sum + times, 0);
  const notFinite = nan + infinite.negative + infinite.positive;
  const rest = notFinite === 0 ? {} : { notFinite };
  if (count === 0) return rest;
  const mean = meanOfTotal(numbers.total, count);
  if (type.kind === 'timestamp') return { mean, min, max, ...rest };
  const at = (quantile: number): number => quantileOf(steps, count, quantile);
  const quantiles = {
    p01: at(0.01),
    p05: at(0.05),
    p25: at(0.25),
    p50: at(0.5),
    p75: at(0.75),
    p95: at(0.95),
    p99: at(0.99),
  };
  return { mean, min, max, quantiles, histogram: histogramOf(steps, at(0.005), at(0.995)), ...rest };
}

type Step = readonly [value: number, times: number];

/** Where each value was counted by itself. */
function exactSteps(values: ReadonlyMap<Countable, number>): Step[] {
  return [...values].map(([value, times]): Step => [Number(value), times]).sort(([a], [b]) => a - b);
}

/** The finite values by size, as their buckets have them; never outside what was seen. */
function stepsOf({ negative, zeros, positive, min, max }: NumberSketch): Step[] {
  const within = (value: number): number => Math.min(max, Math.max(min, value));
  const below = [...eachBucket(negative)].map(([bucket, times]): Step => [within(-valueOfBucket(bucket)), times]);
  const above = [...eachBucket(positive)].map(([bucket, times]): Step => [within(valueOfBucket(bucket)), times]);
  return [...below.reverse(), ...(zeros === 0 ? [] : [[0, zeros] as const]), ...above];
}

/** The value at rank ⌊q(n − 1)⌋. */
function quantileOf(steps: readonly Step[], count: number, quantile: number): number {
  const rank = Math.floor(quantile * (count - 1));
  let before = 0;
  for (const [value, times] of steps) {
    before += times;
    if (before > rank) return value;
  }
  return steps.at(-1)?.[0] ?? 0;
}

/** Ten of one width from nearly the least to nearly the greatest, so that one outlier does not hide the rest. */
function histogramOf(steps: readonly Step[], from: number, to: number): Histogram {
  if (to - from === Infinity) {
    // Half as large, they lie no further apart than doubles reach.
    const halves = steps.map(([value, times]): Step => [value / 2, times]);
    const { edges, counts } = histogramOf(halves, from / 2, to / 2);
    return { edges: edges.map((edge) => Math.min(to, Math.max(from, edge * 2))), counts };
  }
  const width = (to - from) / BINS;
  if (!(width > 0)) return { edges: [from, to], counts: [steps.reduce((sum, [, times]) => sum + times, 0)] };
  const counts = new Array<number>(BINS).fill(0);
  for (const [value, times] of steps) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((value - from) / width)));
    counts[bin] = (counts[bin] as number) + times;
  }
  return { edges: Array.from({ length: BINS + 1 }, (_, i) => from + i * width), counts };
}

function topOf(values: ReadonlyMap<Countable, number>, type: DataType): TopValue[] {
  const shown = (value: Countable): TopValue['value'] =>
    typeof value === 'bigint' ? String(value) : type.kind === 'bool' ? Boolean(value) : value;
  return [...values]
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([value, rows]): TopValue => ({ value: shown(value), rows }))
    .slice(0, TOP);
}
