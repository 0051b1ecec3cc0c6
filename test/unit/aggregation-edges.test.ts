// The edges of the window algebra: exact sums of integers and floats, counts of the distinct.

import { describe, expect, it } from 'vitest';
import { compileAggregator, EXACT_DISTINCT, type Aggregator } from '../../src/aggregation/index.ts';
import { type DataType, HeadraceError, type Value } from '../../src/core/index.ts';
import type { SourceSpec, ViewSpec, WindowOp } from '../../src/definitions/index.ts';
import { toEventColumns } from '../support/event-columns.ts';

function aggregatorOf(type: DataType, ops: readonly WindowOp[]): Aggregator {
  const source: SourceSpec = {
    name: 's',
    kind: 'parquet',
    location: {},
    columns: [{ name: 'c', type }],
    derive: [],
    eventTime: 'e',
    knownTime: { kind: 'after', micros: 0 },
    pushes: 'keep',
  };
  const view: ViewSpec = {
    name: 'v',
    entity: 'x',
    source: 's',
    keyColumns: [],
    ttlMicros: null,
    freshness: { kind: 'live' },
    features: ops.map((op) => ({
      name: op,
      type,
      aggregation: { op, column: 'c', windowMicros: 1000, hopMicros: 10 },
    })),
  };
  // The view has windows.
  return compileAggregator(view, source) as Aggregator;
}

/** The values of the ops over `values`, one event each ten microseconds apart. */
function over(type: DataType, ops: readonly WindowOp[], values: readonly Value[], spread = 1): Value[] {
  const aggregator = aggregatorOf(type, ops);
  const state = aggregator.create();
  const events = values.map((value, i) => ({ eventMicros: (i * spread) % 1000, knownMicros: i, values: { c: value } }));
  const columns = toEventColumns(aggregator.inputs, events);
  events.forEach((_, row) => aggregator.update(state, columns, row));
  return ops.map((_, feature) => aggregator.value(state, feature, 999));
}

const int64 = { kind: 'int64' } as const;
const float64 = { kind: 'float64' } as const;
const GREATEST = 2n ** 63n - 1n;
const LEAST = -(2n ** 63n);

describe('sums of int64', () => {
  it('reach both ends of the range, and pass through what lies beyond', () => {
    expect(over(int64, ['sum'], [GREATEST - 5n, 5n])).toEqual([GREATEST]);
    expect(over(int64, ['sum'], [LEAST + 5n, -5n])).toEqual([LEAST]);
    expect(over(int64, ['sum'], [GREATEST, GREATEST, -GREATEST], 400)).toEqual([GREATEST]);
  });

  it('past the range are an error, never a wrapped number', () => {
    expect(() => over(int64, ['sum'], [GREATEST, 1n])).toThrow(HeadraceError);
    expect(() => over(int64, ['sum'], [LEAST, -1n])).toThrow(/int64/);
  });

  it('past the range still have a mean', () => {
    expect(over(int64, ['mean'], [GREATEST, GREATEST])).toEqual([2 ** 63]);
  });
});

describe('floats', () => {
  it('keep what plain addition loses', () => {
    expect(over(float64, ['sum'], [1, 1e100, 1, -1e100])).toEqual([2]);
    expect(over(float64, ['sum'], [1, 1e100, 1, -1e100], 100)).toEqual([2]);
    expect(over(float64, ['sum'], [1e16, 1, -1e16], 100)).toEqual([1]);
  });

  it('keep what lies three sizes apart, in any order', () => {
    for (const spread of [1, 100]) {
      expect(over(float64, ['sum'], [1e-16, 1, 1e16, 1e32, -1e32, -1e16, -1], spread)).toEqual([1e-16]);
      expect(over(float64, ['sum'], [1e32, -1, 1e16, 1, 1e-16, -1e16, -1e32], spread)).toEqual([1e-16]);
    }
  });

  it('add up past the greatest double and back', () => {
    for (const spread of [1, 100]) {
      expect(over(float64, ['sum', 'mean'], [1e308, 1e308, -1e308, -1e308, 5], spread)).toEqual([5, 1]);
      expect(over(float64, ['sum'], [1e308, 1e308, 1], spread)).toEqual([Infinity]);
    }
  });

  it('of which most need no more than two numbers take no cells', () => {
    const aggregator = aggregatorOf(float64, ['sum']);
    const state = aggregator.create();
    const events = Array.from({ length: 1000 }, (_, i) => ({ eventMicros: i, knownMicros: i, values: { c: i / 7 } }));
    const columns = toEventColumns(aggregator.inputs, events);
    events.forEach((_, row) => aggregator.update(state, columns, row));
    expect(state[0]?.cells).toEqual([]);
  });

  it('are infinite or NaN as addition has it', () => {
    expect(over(float64, ['sum', 'min', 'max'], [1, Infinity, 2])).toEqual([Infinity, 1, Infinity]);
    expect(over(float64, ['sum', 'min', 'max'], [Infinity, -Infinity])).toEqual([Number.NaN, -Infinity, Infinity]);
    expect(over(float64, ['min', 'max'], [Number.NaN, 3])).toEqual([3, Number.NaN]);
    expect(over(float64, ['min', 'max'], [Number.NaN])).toEqual([Number.NaN, Number.NaN]);
  });

  it('have a stable variance far from zero', () => {
    const [variance] = over(float64, ['variance'], [1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16], 100);
    expect(variance).toBeCloseTo(30, 9);
  });
});

describe('countDistinct', () => {
  const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `value ${i}`);

  it(`is exact up to ${EXACT_DISTINCT} values, however often they come and whichever tiles hold them`, () => {
    const values = texts(EXACT_DISTINCT);
    expect(over({ kind: 'string' }, ['countDistinct'], [...values, ...values, ...values], 7)).toEqual([
      BigInt(EXACT_DISTINCT),
    ]);
  });

  it.each([300, 3000, 30_000, 200_000])('of %d values is within 5 %% (three standard errors)', (count) => {
    for (const [type, values] of [
      [{ kind: 'string' }, texts(count)],
      [float64, texts(count).map((_, i) => i * 1.5)],
      [int64, texts(count).map((_, i) => 2n ** 60n + BigInt(i))],
    ] as const) {
      const [estimate] = over(type, ['countDistinct'], values, 7);
      expect(Math.abs(Number(estimate) / count - 1)).toBeLessThan(0.05);
    }
  });

  it('depends on the set alone, not on order or tiles', () => {
    const values = texts(5000);
    expect(over({ kind: 'string' }, ['countDistinct'], values, 1)).toEqual(
      over({ kind: 'string' }, ['countDistinct'], values.toReversed(), 13),
    );
  });

  it('takes −0 for 0 and every NaN for one', () => {
    expect(over(float64, ['countDistinct'], [0, -0, Number.NaN, Number.NaN])).toEqual([2n]);
  });
});

describe('states', () => {
  it('of another layout are told apart by the fingerprint', () => {
    const prints = [aggregatorOf(int64, ['sum']), aggregatorOf(float64, ['sum']), aggregatorOf(int64, ['max'])].map(
      ({ fingerprint }) => fingerprint,
    );
    expect(new Set(prints).size).toBe(3);
    expect(aggregatorOf(int64, ['sum']).fingerprint).toBe(prints[0]);
  });

  it('are small: a day of counts at five minutes takes a few hundred bytes', () => {
    const aggregator = aggregatorOf(int64, ['count']);
    const state = aggregator.create();
    const events = Array.from({ length: 100 }, (_, i) => ({ eventMicros: i * 10, knownMicros: 0, values: { c: 1n } }));
    const columns = toEventColumns(aggregator.inputs, events);
    events.forEach((_, row) => aggregator.update(state, columns, row));
    expect(aggregator.encode(state).length).toBeLessThan(220);
  });
});

it('refuses a state cut short anywhere, rather than reading less', () => {
  for (const type of [{ kind: 'string' }, { kind: 'int64' }] as const) {
    const aggregator = aggregatorOf(type, ['last', 'countDistinct', 'max', 'count']);
    const values = type.kind === 'string' ? ['one', 'two', 'three'] : [1n, 2n ** 60n, -3n];
    const state = aggregator.create();
    const events = values.map((c, i) => ({ eventMicros: i * 10, knownMicros: i * 10, values: { c } }));
    const columns = toEventColumns(aggregator.inputs, events);
    events.forEach((_, row) => aggregator.update(state, columns, row));
    const bytes = aggregator.encode(state);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => aggregator.decode(bytes.slice(0, length), 0, aggregator.create())).toThrow(RangeError);
    }
    expect(aggregator.decode(bytes, 0, aggregator.create())).toBe(bytes.length);
  }
});
