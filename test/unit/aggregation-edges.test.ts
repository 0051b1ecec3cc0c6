// The edges of the window algebra: exact sums of integers and floats, counts of the distinct, and which of the rows that tie in
// both times is the first or the last, where only some of them have an order of their own.

import { describe, expect, it } from 'vitest';
import { type Aggregator, EXACT_DISTINCT } from '../../src/aggregation/index.ts';
import { type DataType, encodeOrder, HeadraceError, type RowPlace, type Value } from '../../src/core/index.ts';
import type { WindowOp } from '../../src/definitions/index.ts';
import { windowed } from '../support/offline-world.ts';
import { aggregatorOf, folded } from '../support/window-view.ts';

const of = (type: DataType, ops: readonly WindowOp[]): Aggregator =>
  aggregatorOf(
    { c: type },
    ops.map((op) => windowed(op, type, op, 'c', 1000, 10)),
  );

/** Values, one so many microseconds after the other. */
const spaced = (values: readonly Value[], spread: number) =>
  values.map((c, i) => ({ eventMicros: (i * spread) % 1000, knownMicros: i, values: { c } }));

/** The values of the ops over `values`. */
function over(type: DataType, ops: readonly WindowOp[], values: readonly Value[], spread = 1): Value[] {
  const aggregator = of(type, ops);
  const state = folded(aggregator, spaced(values, spread));
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
  it('add up past the greatest double and back', () => {
    for (const spread of [1, 100]) {
      expect(over(float64, ['sum', 'mean'], [1e308, 1e308, -1e308, -1e308, 5], spread)).toEqual([5, 1]);
      expect(over(float64, ['sum', 'mean'], [1e308, 1e308, 1e308, 1e308], spread)).toEqual([Infinity, 1e308]);
      const greatest = Number.MAX_VALUE;
      expect(over(float64, ['sum', 'mean'], [greatest, greatest, greatest], spread)).toEqual([Infinity, greatest]);
      expect(over(float64, ['mean'], [-greatest, -greatest], spread)).toEqual([-greatest]);
    }
  });

  it('of which most need no more than two numbers take no cells', () => {
    const state = folded(
      of(float64, ['sum']),
      spaced(
        Array.from({ length: 1000 }, (_, i) => i / 7),
        1,
      ),
    );
    expect(state[0]?.cells).toEqual([]);
  });

  it('are infinite or NaN as addition has it', () => {
    expect(over(float64, ['sum', 'min', 'max'], [1, Infinity, 2])).toEqual([Infinity, 1, Infinity]);
    expect(over(float64, ['sum', 'min', 'max'], [Infinity, -Infinity])).toEqual([Number.NaN, -Infinity, Infinity]);
    expect(over(float64, ['min', 'max'], [Number.NaN, 3])).toEqual([3, Number.NaN]);
    expect(over(float64, ['min', 'max'], [Number.NaN])).toEqual([Number.NaN, Number.NaN]);
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
    const all = [of(int64, ['sum']), of(float64, ['sum']), of(int64, ['max']), of(int64, ['sum'])];
    const prints = all.map(({ fingerprint }) => fingerprint);
    expect(new Set(prints).size).toBe(3);
    expect(prints[3]).toBe(prints[0]);
  });

  it('are small: a day of counts at five minutes takes a few hundred bytes', () => {
    const aggregator = of(int64, ['count']);
    const state = folded(aggregator, spaced(Array<bigint>(100).fill(1n), 10));
    expect(aggregator.encode(state).length).toBeLessThan(220);
  });
});

it('refuses a state cut short anywhere, rather than reading less', () => {
  for (const type of [{ kind: 'string' }, { kind: 'int64' }] as const) {
    const aggregator = of(type, ['last', 'countDistinct', 'max', 'count']);
    const values = type.kind === 'string' ? ['one', 'two', 'three'] : [1n, 2n ** 60n, -3n];
    const bytes = aggregator.encode(folded(aggregator, spaced(values, 10)));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => aggregator.decode(bytes.slice(0, length), 0, aggregator.create())).toThrow(RangeError);
    }
    expect(aggregator.decode(bytes, 0, aggregator.create())).toBe(bytes.length);
  }
});

const text = { kind: 'string' } as const;

interface Placed {
  readonly value: string;
  readonly at: number;
  /** Where the row lies in the log; left out for a row of a file. */
  readonly place?: RowPlace;
}

/** First and last of rows that were fed in this order, in one state or in two that were merged. */
function firstAndLast(rows: readonly Placed[], later: readonly Placed[] = []): readonly unknown[] {
  const ops = (['first', 'last'] as const).map((op) => windowed(op, text, op, 'c', 1000, 1000));
  const aggregator = aggregatorOf({ c: text }, ops);
  const fold = (some: readonly Placed[]) =>
    folded(
      aggregator,
      some.map(({ value, at }) => ({ eventMicros: at, knownMicros: at, values: { c: value } })),
      some.map(({ place }) => encodeOrder(undefined, place)),
    );
  const state = fold(rows);
  if (later.length > 0) aggregator.merge(state, fold(later));
  return [0, 1].map((feature) => aggregator.value(state, feature, 999));
}

const pushed = (offset: number): RowPlace => ({ writer: 1, offset });

describe('of rows that tie', () => {
  it('those of a file come before all that were pushed, whatever was fed first', () => {
    const rows = [
      { value: 'file', at: 5 },
      { value: 'one', at: 5, place: pushed(1) },
      { value: 'two', at: 5, place: pushed(2) },
    ] as const satisfies Placed[];
    for (const fed of [rows, rows.toReversed()]) {
      expect(firstAndLast(fed)).toEqual(['file', 'two']);
      expect(firstAndLast(fed.slice(0, 1), fed.slice(1))).toEqual(['file', 'two']);
    }
  });

  it('the order of a row that was displaced says nothing of the row that displaced it', () => {
    // Of a greater place than any that ties later on, and of another time.
    const displaced = { value: 'early', at: 1, place: pushed(900) };
    const rows = [
      { value: 'file', at: 5 },
      { value: 'pushed', at: 5, place: pushed(1) },
    ];
    expect(firstAndLast([displaced, ...rows])).toEqual(['early', 'pushed']);
    expect(firstAndLast([displaced], rows)).toEqual(['early', 'pushed']);
    expect(firstAndLast([displaced, ...rows.slice(0, 1)], rows.slice(1))).toEqual(['early', 'pushed']);
    const late = { value: 'late', at: 9, place: pushed(0) };
    expect(firstAndLast([late, ...rows.toReversed()])).toEqual(['file', 'late']);
  });
});
