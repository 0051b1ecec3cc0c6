// Rows of an entry as bytes and back: every value exact, whatever its type.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType, Row, Value } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { decodeRows, encodeRows } from '../../src/events/records/row-codec.ts';
import { anyValue } from '../support/any-value.ts';
import { numbersSource } from '../support/numbers-source.ts';

type Kind = Exclude<DataType['kind'], 'list' | 'vector'>;
const of = (kind: Kind): DataType => ({ kind });
const [int32, int64, float32, float64] = [of('int32'), of('int64'), of('float32'), of('float64')];
const [string, bytes, bool, timestamp] = [of('string'), of('bytes'), of('bool'), of('timestamp')];
const list = (of: DataType): DataType => ({ kind: 'list', of });
const vector: DataType = { kind: 'vector', size: 3 };
const ALL = [bool, int32, int64, float32, float64, string, bytes, timestamp, list(int64), vector];
const source: SourceSpec = {
  ...numbersSource,
  columns: ALL.map((type, index) => ({ name: `a "column": ${index}`, type })),
};
const anyRow: fc.Arbitrary<Row> = fc
  .tuple(...ALL.map((type) => fc.option(anyValue(type), { freq: 5 })))
  .map((values) => Object.fromEntries(values.map((value, index) => [`a "column": ${index}`, value])));

describe('rows of a log entry', () => {
  const typed = (...types: DataType[]): SourceSpec => ({
    ...numbersSource,
    columns: types.map((type, at) => ({ name: 'xy'[at] as string, type })),
  });
  const large = 2n ** 62n + 1n;

  it('come back as they were, bit by bit', () => {
    const pushed = fc.record({ row: anyRow, knownMicros: fc.maxSafeInteger() }, { noNullPrototype: true });
    fc.assert(
      fc.property(fc.array(pushed, { maxLength: 5 }), (rows) => {
        // Object.is on numbers: −0 and NaN too.
        expect(decodeRows(source, encodeRows(source, rows))).toStrictEqual(rows);
      }),
    );
  });

  it('hold declared columns alone, and null where a row has none', () => {
    const body = encodeRows(numbersSource, [{ row: { n: 1n, more: 'x' }, knownMicros: 1 }]);
    expect(decodeRows(numbersSource, body)).toEqual([{ row: { n: 1n, text: null, at: null }, knownMicros: 1 }]);
  });

  it('are read by the columns that they were written with, whatever those are called', () => {
    const columnsOf = (...names: string[]): SourceSpec => ({
      ...numbersSource,
      columns: names.map((name) => ({ name, type: { kind: 'int64' } })),
    });
    const [odd, plain] = [columnsOf('a:int64\nb'), columnsOf('a', 'b')];
    const bodies = [
      encodeRows(odd, [{ row: { 'a:int64\nb': 1n }, knownMicros: 1 }]),
      encodeRows(plain, [{ row: { a: 1n, b: 2n }, knownMicros: 1 }]),
    ];
    expect(bodies.map((body) => decodeRows(plain, body)[0]?.row)).toEqual([
      { a: null, b: null },
      { a: 1n, b: 2n },
    ]);
  });

  it('keep NaN apart from null, whatever bits a NaN carries', () => {
    const odd = new Float64Array(new BigUint64Array([0xffffffffffffffffn]).buffer)[0] as number;
    const floats = typed(float64);
    const rows = [NaN, odd, null].map((x) => ({ row: { x }, knownMicros: 1 }));
    expect(decodeRows(floats, encodeRows(floats, rows)).map(({ row }) => row['x'])).toEqual([NaN, NaN, null]);
  });

  it.each<[from: DataType, to: DataType, values: Value[], wanted: Value[]]>([
    [int64, string, [7n, large, -(2n ** 63n), null], ['7', String(large), String(-(2n ** 63n)), null]],
    [int32, string, [7, -1], ['7', '-1']],
    [float64, string, [0.1, -0, NaN, 1e21], ['0.1', '-0', 'NaN', '1e+21']],
    [float32, string, [Math.fround(0.1), Math.fround(1 / 3), 16_777_216], ['0.1', '0.33333334', '16777216']],
    [bool, string, [true], ['true']],
    [timestamp, string, [1], ['1970-01-01T00:00:00.000001Z']],
    [string, int64, ['7', String(large)], [7n, large]],
    [string, int64, ['007', '+7', '7.0', ' 7', '9223372036854775808', ''], [null, null, null, null, null, null]],
    [string, int32, ['7', '2147483648', '1.5'], [7, null, null]],
    [string, float64, ['0.1', '-0', 'Infinity', 'NaN'], [0.1, -0, Infinity, NaN]],
    [string, float64, ['0.10', 'x', ''], [null, null, null]],
    [string, timestamp, ['1970-01-01T00:00:00.000001Z', '1'], [1, null]],
    [float64, int64, [5, 1.5, 2 ** 60, 2 ** 63, Infinity], [5n, null, 2n ** 60n, null, null]],
    [float64, int32, [-0, 2 ** 31], [0, null]],
    [float64, float32, [1e300, -Infinity], [null, -Infinity]],
    [int64, float64, [7n], [7]],
    [timestamp, int64, [1], [null]],
    // The text's base64 is other bytes, and bytes need not be a text.
    [string, bytes, ['abcd', ''], [null, null]],
    [bytes, string, [Uint8Array.of(97)], [null]],
    [list(string), list(bytes), [['abcd']], [[null]]],
    [list(int64), list(string), [[large, null, 1n]], [[String(large), null, '1']]],
    [list(int64), string, [[1n]], [null]],
  ])('are converted from %o to %o, and are null where that would say something else', (from, to, values, wanted) => {
    const rows = values.map((x) => ({ row: { x }, knownMicros: 1 }));
    expect(decodeRows(typed(to), encodeRows(typed(from), rows)).map(({ row }) => row['x'])).toEqual(wanted);
  });

  it('name the columns in which that lost a value, or an item of a list; nulls lose nothing', () => {
    const known = { knownMicros: 1 };
    const read = (from: SourceSpec, to: SourceSpec, ...rows: Row[]) =>
      decodeRows(
        to,
        encodeRows(
          from,
          rows.map((row) => ({ row, ...known })),
        ),
      );
    expect(
      read(
        typed(string, list(string)),
        typed(int64, list(int64)),
        { x: '7', y: ['1', null, '-3'] },
        { x: 'seven', y: ['1', 'two'] },
        { x: 'seven', y: null },
        { x: null, y: [null, ''] },
      ),
    ).toStrictEqual([
      { row: { x: 7n, y: [1n, null, -3n] }, ...known },
      { row: { x: null, y: [1n, null] }, ...known, lost: ['x', 'y'] },
      { row: { x: null, y: null }, ...known, lost: ['x'] },
      { row: { x: null, y: [null, null] }, ...known, lost: ['y'] },
    ]);
    const nested = [typed(string, list(list(string))), typed(string, list(list(int64)))] as const;
    expect(read(...nested, { x: null, y: [['1', 'two'], null] })).toStrictEqual([
      { row: { x: null, y: [[1n, null], null] }, ...known, lost: ['y'] },
    ]);
  });

  it('keep every number through text and back', () => {
    for (const kind of ['int32', 'int64', 'float32', 'float64'] as const) {
      const [number, text] = [typed({ kind }), typed(string)];
      fc.assert(
        fc.property(anyValue({ kind }), (x) => {
          const texts = decodeRows(text, encodeRows(number, [{ row: { x }, knownMicros: 1 }]));
          expect(decodeRows(number, encodeRows(text, texts))).toStrictEqual([{ row: { x }, knownMicros: 1 }]);
        }),
      );
    }
  });

  it('refuse a value that could not be read again, before anything is written', () => {
    const row = { n: 1.5, text: 'x', at: 1 };
    expect(() => encodeRows(numbersSource, [{ row, knownMicros: 1 }])).toThrow(TypeError);
  });
});
