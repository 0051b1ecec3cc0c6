// Order keys: bytes compare as the values and places they were made of, and as DuckDB sorts them.

import { DuckDBInstance, type DuckDBValue, LIST, listValue, VARCHAR } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as core from '../../src/core/index.ts';
import { rationalSum } from '../support/rational.ts';
import { runs } from '../support/tier.ts';

const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 4 });
const text = fc.oneof(
  fc.constantFrom('', '\0', 'a', 'a\0', 'ab', 'é', '\uffff', '\u{1f600}'),
  fc.string({ unit: 'binary', maxLength: 4 }).filter((one) => one.isWellFormed()),
);
const int64 = fc.oneof(
  fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, 2n ** 53n + 2n, -(2n ** 53n) - 1n, -(2n ** 63n), 2n ** 63n - 1n),
  fc.bigInt({ min: -3n, max: 3n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
// −0 is 0 to DuckDB, and below it to compareValues.
const double = fc
  .oneof(fc.constantFrom(NaN, Infinity, -Infinity, 0, 5e-324, 1.5, -1.5), fc.double())
  .map((value) => (value === 0 ? 0 : value));

const TYPES: readonly [core.DataType, fc.Arbitrary<core.Value>][] = [
  [{ kind: 'bool' }, fc.boolean()],
  [{ kind: 'int32' }, fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer())],
  [{ kind: 'int64' }, int64],
  [
    { kind: 'float32' },
    fc.oneof(
      fc.constantFrom(NaN, Infinity, -Infinity, 0),
      fc.float().map((one) => one + 0),
    ),
  ],
  [{ kind: 'float64' }, double],
  [{ kind: 'string' }, text],
  [{ kind: 'bytes' }, fc.uint8Array({ maxLength: 3 })],
  [{ kind: 'timestamp' }, fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -3, max: 3 }))],
  [{ kind: 'list', of: { kind: 'string' } }, fc.array(text, { maxLength: 3 })],
  [
    { kind: 'vector', size: 2 },
    fc.tuple(double, double).map((pair) => Float32Array.from(pair, (item) => Math.fround(item) + 0)),
  ],
];

const place: fc.Arbitrary<core.RowPlace | undefined> = fc.option(
  fc.record({
    writer: fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
    offset: fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 ** 48 - 1 })),
  }),
  { nil: undefined },
);

function comparePlaces(a: core.RowPlace | undefined, b: core.RowPlace | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return a.writer - b.writer || a.offset - b.offset;
}

const bySign = (a: Uint8Array, b: Uint8Array) => Math.sign(core.compareOrder(a, b));

describe.each(TYPES)('a created order of $kind', (type, values) => {
  const row = fc.record({ value: maybe(values), place });

  it('decides before the place, null before all values', () => {
    fc.assert(
      fc.property(row, row, fc.boolean(), (a, b, isTied) => {
        const other = isTied ? { ...b, value: a.value } : b;
        const order = (one: typeof a) => core.encodeOrder({ type, value: one.value }, one.place);
        const expected = core.compareValues(a.value, other.value) || comparePlaces(a.place, other.place);
        expect(bySign(order(a), order(other))).toBe(Math.sign(expected));
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('a source without created order', () => {
  it('has rows of files first, then pushed ones by writer, then offset', () => {
    fc.assert(
      fc.property(place, place, (a, b) => {
        expect(bySign(core.encodeOrder(undefined, a), core.encodeOrder(undefined, b))).toBe(
          Math.sign(comparePlaces(a, b)),
        );
      }),
      { numRuns: runs(500) },
    );
  });

  it('takes a row without order for one of a file', () => {
    expect(core.compareOrder(undefined, core.encodeOrder(undefined, undefined))).toBe(0);
    expect(core.compareOrder(undefined, core.encodeOrder(undefined, { writer: 0, offset: 0 }))).toBeLessThan(0);
    expect(
      core.compareOrder(undefined, core.encodeOrder({ type: { kind: 'bool' }, value: null }, undefined)),
    ).toBeLessThan(0);
  });
});

it('refuses a place that its bytes cannot hold', () => {
  expect(() => core.encodeOrder(undefined, { writer: 2 ** 32, offset: 0 })).toThrow(RangeError);
  expect(() => core.encodeOrder(undefined, { writer: -1, offset: 0 })).toThrow(RangeError);
  expect(() => core.encodeOrder(undefined, { writer: 1, offset: 2 ** 48 })).toThrow(RangeError);
});

it('sorts as DuckDB does, nulls first', async () => {
  const cases: readonly (readonly [string, core.DataType, readonly core.Value[]])[] = [
    ['BIGINT', { kind: 'int64' }, [2n ** 53n + 1n, -(2n ** 63n), null, 2n ** 53n, 2n ** 63n - 1n, -1n, 0n]],
    ['DOUBLE', { kind: 'float64' }, [NaN, 1, -Infinity, null, Infinity, -0, 0, -1e-320, 5e-324]],
    ['VARCHAR', { kind: 'string' }, ['\u{1f600}', '\uffff', 'é', 'z', '', null, 'a', 'ab', 'Z']],
    ['BOOLEAN', { kind: 'bool' }, [true, null, false]],
    ['VARCHAR[]', { kind: 'list', of: { kind: 'string' } }, [['b'], ['a', null], ['a', 'z'], [], null, [null], ['a']]],
  ];
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  for (const [sqlType, type, values] of cases) {
    const appender = await connection
      .run(`CREATE OR REPLACE TABLE t (i INTEGER, c ${sqlType})`)
      .then(() => connection.createAppender('t'));
    values.forEach((value, i) => {
      appender.appendInteger(i);
      if (value === null) appender.appendNull();
      else if (Array.isArray(value)) appender.appendList(listValue(value as DuckDBValue[]), LIST(VARCHAR));
      // The other kinds here are held as DuckDB's client holds them.
      else appender.appendValue(value as DuckDBValue);
      appender.endRow();
    });
    appender.closeSync();
    const rows = await (await connection.run('SELECT i FROM t ORDER BY c NULLS FIRST, i')).getRows();
    const sorted = values
      .map((value, i) => ({ i, order: core.encodeOrder({ type, value }, undefined) }))
      .sort((a, b) => core.compareOrder(a.order, b.order) || a.i - b.i);
    const places = rows.map(([i]) => i);
    expect(places, sqlType).toEqual(sorted.map(({ i }) => i));
  }
  connection.closeSync();
});

// The sum that rounds once: against whole numbers of any size, in any order.
const MAX = Number.MAX_VALUE;
const ULP = 2 ** 971;

// Doubles of every size, and the ones at the edges of rounding and of the range.
const any = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(1, -1, 2 ** 53, 2 ** -53, 2 ** -54, -(2 ** -54), 1e16, -1e16, 0.1, 0, -0),
  fc.constantFrom(MAX, -MAX, 2 ** 1023, -(2 ** 1023), ULP, ULP / 2, -ULP / 2, 5e-324, -5e-324, 2 ** -1022),
);

describe('exactSum', () => {
  it('is the double nearest to the true sum', () => {
    const isNearest = (values: readonly number[]) => expect(core.exactSum(values)).toBe(rationalSum(values));
    fc.assert(
      fc.property(fc.array(any, { maxLength: 20 }), (values) => {
        isNearest(values);
      }),
      { numRuns: runs(3000) },
    );
  });

  it('is so where nearly all cancels out, in any order', () => {
    const cancelling = fc.tuple(any, fc.array(any, { maxLength: 12 })).chain(([one, values]) => {
      const all = [one, ...values, ...values.map((value) => -value)];
      return fc.shuffledSubarray(all, { minLength: all.length }).map((shuffled) => ({ one, shuffled }));
    });
    const isOne = fc.property(cancelling, ({ one, shuffled }) => {
      expect(core.exactSum(shuffled)).toBe(one + 0);
    });
    fc.assert(isOne, { numRuns: runs(2000) });
  });

  it.each([
    ['what plain addition loses', [1e16, 1, -1e16], 1],
    ['three sizes', [1e32, 1e16, 1, -1e32, -1e16], 1],
    ['a passage through infinity', [MAX, MAX, -MAX, -MAX, 3], 3],
    ['half a digit past the greatest', [MAX, ULP / 2], Infinity],
    ['a little less than that', [MAX, ULP / 2, -5e-324], MAX],
    ['a sum past the greatest', [MAX, MAX], Infinity],
    ['one below the least', [-MAX, -MAX, 1], -Infinity],
    ['half a digit, to even', [1, 2 ** -53], 1],
    ['a little more than half', [1, 2 ** -53, 5e-324], 1 + 2 ** -52],
    ['no numbers', [], 0],
    ['an infinity', [1, Infinity, MAX, MAX], Infinity],
    ['both infinities', [Infinity, 1, -Infinity], NaN],
    ['a NaN', [1, NaN], NaN],
  ])('takes %s', (_, values, sum) => {
    expect(core.exactSum(values)).toBe(sum);
    expect(core.exactSum(values.toReversed())).toBe(sum);
  });
});
