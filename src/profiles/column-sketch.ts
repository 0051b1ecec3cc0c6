// What a column holds, in little: nulls, distinct values, numbers by size, the most frequent values. Parts merge to what the
// whole would have given, in any order.

import { addToDistinct, createDistinct, type DistinctSketch, mergeDistinct } from '../aggregation/index.ts';
import {
  addExactly,
  addTotal,
  createTotal,
  type DataType,
  type ExactTotal,
  microsOfTime,
  type Value,
} from '../core/index.ts';
import { addToBuckets, createBuckets, type LogBuckets, mergeBuckets } from './log-buckets.ts';

/** So many distinct values are counted one by one; a column with more has no most frequent ones here. */
export const MOST_VALUES = 1000;

export type Countable = string | number | bigint | boolean;

export interface ColumnSketch {
  readonly type: DataType;
  rows: number;
  nulls: number;
  readonly distinct: DistinctSketch;
  /** Null once there are more than MOST_VALUES. */
  values: Map<Countable, number> | null;
  /** Null where the type has no numbers. */
  readonly numbers: NumberSketch | null;
}

export interface NumberSketch {
  nan: number;
  infinite: { negative: number; positive: number };
  zeros: number;
  readonly negative: LogBuckets;
  readonly positive: LogBuckets;
  readonly total: ExactTotal;
  /** Of the finite ones; Infinity and −Infinity for none. */
  min: number;
  max: number;
}

export function createColumnSketch(type: DataType): ColumnSketch {
  return {
    type,
    rows: 0,
    nulls: 0,
    distinct: createDistinct(),
    values: isCountable(type) ? new Map() : null,
    numbers: hasNumbers(type) ? createNumbers() : null,
  };
}

/** Adds a value that came `times` times. Of lists, vectors and bytes only whether they are null counts. */
export function addValue(sketch: ColumnSketch, value: Value, times = 1): void {
  sketch.rows += times;
  if (value === null) sketch.nulls += times;
  else if (typeof value === 'number') addNumber(sketch, value, times);
  else if (typeof value === 'bigint') {
    const near = Number(value);
    // Whole numbers that a double holds are counted as such: they come as columns of doubles too.
    const exact = Number.isSafeInteger(near) ? near : value;
    countValue(sketch, exact, times);
    addToDistinct(sketch.distinct, exact);
    addNumeric(sketch.numbers as NumberSketch, near, times);
  } else if (typeof value === 'string' || typeof value === 'boolean') {
    countValue(sketch, value, times);
    addToDistinct(sketch.distinct, typeof value === 'string' ? value : Number(value));
  }
}

/** Adds numbers as they lie; NaN among them stands for a null, as which it is counted by nobody here. */
export function addNumbers(sketch: ColumnSketch, numbers: ArrayLike<number>, length: number): void {
  for (let i = 0; i < length; i++) {
    const value = numbers[i] as number;
    if (value === value) {
      sketch.rows++;
      addNumber(sketch, value, 1);
    }
  }
}

function addNumber(sketch: ColumnSketch, value: number, times: number): void {
  // −0 and 0 are one value.
  const own = value === 0 ? 0 : sketch.type.kind === 'timestamp' ? nearTime(value) : value;
  // NaN and infinities are told by themselves.
  if (Number.isFinite(own)) {
    countValue(sketch, own, times);
    addToDistinct(sketch.distinct, own);
  }
  addNumeric(sketch.numbers as NumberSketch, own, times);
}

/** A far time in microseconds, as near as a double is. */
function nearTime(value: number): number {
  return Number.isFinite(value) && !Number.isSafeInteger(value) ? Number(microsOfTime(value)) : value;
}

function addNumeric(numbers: NumberSketch, value: number, times: number): void {
  if (value > 0 && value < Infinity) addToBuckets(numbers.positive, value, times);
  else if (value < 0 && value > -Infinity) addToBuckets(numbers.negative, -value, times);
  else if (value === 0) numbers.zeros += times;
  else {
    if (value === Infinity) numbers.infinite.positive += times;
    else if (value === -Infinity) numbers.infinite.negative += times;
    else numbers.nan += times;
    return;
  }
  if (value < numbers.min) numbers.min = value;
  if (value > numbers.max) numbers.max = value;
  if (times === 1) addExactly(numbers.total, value);
  else addTimes(numbers.total, value, times);
}

/** Past it a doubled value may leave the range of doubles. */
const GREAT = 2 ** 960;

/** Exactly, by doubling, which loses no digit. */
function addTimes(total: ExactTotal, value: number, times: number): void {
  if (Math.abs(value) > GREAT) {
    for (let i = 0; i < times; i++) addExactly(total, value);
    return;
  }
  let [term, left] = [value, times];
  while (left > 0) {
    if (left % 2 === 1) addExactly(total, term);
    left = Math.floor(left / 2);
    term *= 2;
  }
}

function countValue(sketch: ColumnSketch, value: Countable, times: number): void {
  const { values } = sketch;
  if (values === null) return;
  const before = values.get(value);
  if (before !== undefined) values.set(value, before + times);
  else if (values.size < MOST_VALUES) values.set(value, times);
  else sketch.values = null;
}

/** Both are of one type. `from` stays as it is. */
export function mergeColumns(into: ColumnSketch, from: ColumnSketch): void {
  into.rows += from.rows;
  into.nulls += from.nulls;
  mergeDistinct(into.distinct, from.distinct);
  if (from.values === null) into.values = null;
  else for (const [value, times] of from.values) countValue(into, value, times);
  if (into.numbers === null || from.numbers === null) return;
  const [a, b] = [into.numbers, from.numbers];
  a.nan += b.nan;
  a.infinite.negative += b.infinite.negative;
  a.infinite.positive += b.infinite.positive;
  a.zeros += b.zeros;
  mergeBuckets(a.negative, b.negative);
  mergeBuckets(a.positive, b.positive);
  addTotal(a.total, b.total);
  a.min = Math.min(a.min, b.min);
  a.max = Math.max(a.max, b.max);
}

function createNumbers(): NumberSketch {
  return {
    nan: 0,
    infinite: { negative: 0, positive: 0 },
    zeros: 0,
    negative: createBuckets(),
    positive: createBuckets(),
    total: createTotal(),
    min: Infinity,
    max: -Infinity,
  };
}

export function hasNumbers({ kind }: DataType): boolean {
  return kind === 'int32' || kind === 'int64' || kind === 'float32' || kind === 'float64' || kind === 'timestamp';
}

export function isCountable(type: DataType): boolean {
  return hasNumbers(type) || type.kind === 'bool' || type.kind === 'string';
}
