// What a column's sketch counts by its type.

import { describe, expect, it } from 'vitest';
import { type DataType, roundTotal } from '../../src/core/index.ts';
import {
  addToBuckets,
  createBuckets,
  mergeBuckets,
  packBuckets,
  unpackBuckets,
} from '../../src/profiles/log-buckets.ts';
import { profileToJson, summarizeProfile } from '../../src/profiles/profile.ts';
import {
  addValue,
  createColumnSketch,
  hasNumbers,
  isCountable,
  mergeColumns,
  MOST_VALUES,
  type NumberSketch,
} from '../../src/profiles/column-sketch.ts';

const int64 = { kind: 'int64' } as const;

describe('a column’s sketch', () => {
  it('has numbers, most frequent values, or neither, by its type', () => {
    const told = (type: DataType): [boolean, boolean] => [hasNumbers(type), isCountable(type)];
    for (const kind of ['int32', 'int64', 'float32', 'float64', 'timestamp'] as const)
      expect(told({ kind }), kind).toEqual([true, true]);
    for (const kind of ['bool', 'string'] as const) expect(told({ kind }), kind).toEqual([false, true]);
    expect(told({ kind: 'bytes' })).toEqual([false, false]);
    expect(told({ kind: 'list', of: int64 })).toEqual([false, false]);
  });

  it('counts an int64 that a double holds as that number, and one past it as itself', () => {
    const sketch = createColumnSketch(int64);
    for (const value of [5n, 5n, 0n, -3n, 2n ** 53n + 1n, null]) addValue(sketch, value);
    expect(sketch).toMatchObject({ rows: 6, nulls: 1, numbers: { zeros: 1, min: -3, max: 2 ** 53 } });
    const values = [5, 0, -3, 2n ** 53n + 1n].map((value) => sketch.values?.get(value));
    expect([...values, sketch.values?.size]).toEqual([2, 1, 1, 1, 4]);
  });

  it('adds numbers exactly, and tells those apart that are none', () => {
    const sketch = createColumnSketch({ kind: 'float64' });
    addValue(sketch, 0.1, 3);
    for (const value of [0.2, -0, NaN, Infinity, -Infinity, -Infinity]) addValue(sketch, value);
    expect(roundTotal((sketch.numbers as NumberSketch).total)).toBe(0.5);
    const infinite = { negative: 2, positive: 1 };
    expect(sketch.numbers).toMatchObject({ nan: 1, infinite, zeros: 1, min: 0, max: 0.2 });
    expect([...(sketch.values ?? [])].map(String)).toEqual(['0.1,3', '0.2,1', '0,1']);
  });

  it('counts values one by one up to a bound, merged or not, and none past it', () => {
    const sketchOf = (from: number, to: number) => {
      const sketch = createColumnSketch(int64);
      for (let value = from; value < to; value++) addValue(sketch, BigInt(value));
      return sketch;
    };
    const full = sketchOf(0, MOST_VALUES);
    expect(full.values?.size).toBe(MOST_VALUES);
    addValue(full, 3n);
    expect(full.values?.get(3)).toBe(2);
    mergeColumns(full, sketchOf(0, 4));
    expect(full.values?.get(3)).toBe(3);
    mergeColumns(full, sketchOf(MOST_VALUES, MOST_VALUES + 1));
    expect([full.values, full.rows]).toEqual([null, MOST_VALUES + 6]);
    const few = sketchOf(0, 2);
    mergeColumns(few, full);
    expect(few.values).toBeNull();
  });
});

it.each([
  ['ascending', [1e-9, 1, 1e9]],
  ['descending', [1e9, 1, 1e-9]],
])('buckets widen for each value outside of what they reach, %s', (_, values) => {
  const buckets = createBuckets();
  for (const value of values) addToBuckets(buckets, value, 2);
  for (const value of values) addToBuckets(buckets, value, 1);
  const { first, counts } = packBuckets(buckets);
  expect(counts.filter((count) => count > 0)).toEqual([3, 3, 3]);
  expect([first, counts.length]).toEqual([-1036, 2074]);
  const merged = unpackBuckets(packBuckets(buckets));
  mergeBuckets(merged, buckets);
  expect(packBuckets(merged)).toEqual({ first, counts: counts.map((count) => count * 2) });
});

it('buckets that hold nothing are packed as none', () => {
  expect(packBuckets(createBuckets())).toEqual({ first: 0, counts: [] });
});

describe('of the greatest doubles', () => {
  const TOP = 2 ** 1023;
  const profileOf = (values: readonly number[]) => {
    const sketch = createColumnSketch({ kind: 'float64' });
    for (const value of values) addValue(sketch, value);
    return { rows: values.length, sampled: values.length, columns: new Map([['c', sketch]]) };
  };

  it.each([
    [[TOP, -1], 0, [-1, TOP]],
    [[TOP, 1], 1, [1]],
    [[-1, TOP, TOP], 1, [-1, TOP]],
    [[TOP, TOP, -TOP], 1, []],
    [[-TOP, TOP, TOP], 1, []],
    [[-TOP, -TOP, TOP, 1], 0, [1, -TOP]],
    [[-TOP, -TOP, TOP], -1, []],
    [[TOP / 2, -1], 0, [-1, TOP / 2]],
  ])('%j have one total as text, in whatever order they came', (values, carry, parts) => {
    for (const given of [values, values.toReversed()])
      expect(JSON.parse(profileToJson(profileOf(given))).columns[0].numbers.total).toEqual({ carry, parts });
  });

  it('a histogram reaches as far as they do', () => {
    const most = Number.MAX_VALUE;
    const { edges = [], counts } =
      summarizeProfile(profileOf([-most, -most / 2, 0, most / 2, most]))[0]?.histogram ?? {};
    const percent = edges.map((edge) => Math.round((edge / most) * 100));
    expect(percent).toEqual([-100, -85, -70, -55, -40, -25, -10, 5, 20, 35, 50]);
    expect(counts).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 0, 2]);
  });
});
