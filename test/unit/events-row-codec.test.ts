// Rows of an entry as bytes and back: every value exact, whatever its type.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType, Row, Value } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { decodeRows, encodeRows } from '../../src/events/records/row-codec.ts';
import { numbersSource } from '../support/numbers-source.ts';

const float32 = fc.oneof(fc.float(), fc.constantFrom(-0, NaN, Infinity, -Infinity));
const BY_TYPE: readonly (readonly [DataType, fc.Arbitrary<Value>])[] = [
  [{ kind: 'bool' }, fc.boolean()],
  [{ kind: 'int32' }, fc.integer()],
  [
    { kind: 'int64' },
    fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -9n, max: 9n })),
  ],
  [{ kind: 'float32' }, float32],
  [{ kind: 'float64' }, fc.oneof(fc.double(), fc.constantFrom(-0, NaN, Infinity, 1e21, 5e-324, 2 ** 70))],
  [{ kind: 'string' }, fc.string({ unit: 'binary' })],
  [{ kind: 'bytes' }, fc.uint8Array()],
  [{ kind: 'timestamp' }, fc.maxSafeInteger()],
  [{ kind: 'list', of: { kind: 'int64' } }, fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })))],
  [
    { kind: 'vector', size: 3 },
    fc.array(float32, { minLength: 3, maxLength: 3 }).map((items) => Float32Array.from(items)),
  ],
];
const source: SourceSpec = {
  ...numbersSource,
  columns: BY_TYPE.map(([type], index) => ({ name: `a "column": ${index}`, type })),
};
const anyRow: fc.Arbitrary<Row> = fc
  .tuple(...BY_TYPE.map(([, values]) => fc.option(values, { freq: 5 })))
  .map((values) => Object.fromEntries(values.map((value, index) => [`a "column": ${index}`, value])));

describe('rows of a log entry', () => {
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
    const floats: SourceSpec = { ...numbersSource, columns: [{ name: 'x', type: { kind: 'float64' } }] };
    const rows = [NaN, odd, null].map((x) => ({ row: { x }, knownMicros: 1 }));
    expect(decodeRows(floats, encodeRows(floats, rows)).map(({ row }) => row['x'])).toEqual([NaN, NaN, null]);
  });

  it('are converted where a column has another type by now, and are null where that would say something else', () => {
    const typed = (type: DataType): SourceSpec => ({ ...numbersSource, columns: [{ name: 'x', type }] });
    const readAs = (stored: DataType, wanted: DataType, ...values: Value[]): unknown[] => {
      const body = encodeRows(
        typed(stored),
        values.map((x) => ({ row: { x }, knownMicros: 1 })),
      );
      return decodeRows(typed(wanted), body).map(({ row }) => row['x']);
    };
    const [int32, int64, float64, string, bool, timestamp] = (
      ['int32', 'int64', 'float64', 'string', 'bool', 'timestamp'] as const
    ).map((kind) => ({ kind })) as [DataType, DataType, DataType, DataType, DataType, DataType];
    const large = 2n ** 62n + 1n;
    expect(readAs(int64, string, 7n, large, -(2n ** 63n), null)).toEqual([
      '7',
      String(large),
      String(-(2n ** 63n)),
      null,
    ]);
    expect(readAs(int32, string, 7, -1)).toEqual(['7', '-1']);
    expect(readAs(float64, string, 0.1, -0, NaN, 1e21)).toEqual(['0.1', '-0', 'NaN', '1e+21']);
    expect(readAs(bool, string, true)).toEqual(['true']);
    expect(readAs(timestamp, string, 1)).toEqual(['1970-01-01T00:00:00.000001Z']);
    expect(readAs(string, int64, '7', String(large), '007', '+7', '7.0', ' 7', '9223372036854775808', '')).toEqual([
      7n,
      large,
      ...Array.from({ length: 6 }, () => null),
    ]);
    expect(readAs(string, int32, '7', '2147483648', '1.5')).toEqual([7, null, null]);
    expect(readAs(string, float64, '0.1', '-0', 'Infinity', 'NaN', '0.10', 'x', '')).toEqual([
      0.1,
      -0,
      Infinity,
      NaN,
      null,
      null,
      null,
    ]);
    expect(readAs(string, timestamp, '1970-01-01T00:00:00.000001Z', '1')).toEqual([1, null]);
    expect(readAs(float64, int64, 5, 1.5, 2 ** 60, 2 ** 63, Infinity)).toEqual([5n, null, 2n ** 60n, null, null]);
    expect(readAs(float64, int32, -0, 2 ** 31)).toEqual([0, null]);
    const float: DataType = { kind: 'float32' };
    expect(readAs(float, string, Math.fround(0.1), Math.fround(1 / 3), 16_777_216)).toEqual([
      '0.1',
      '0.33333334',
      '16777216',
    ]);
    expect(readAs(float64, float, 1e300, -Infinity)).toEqual([null, -Infinity]);
    expect(readAs(int64, float64, 7n)).toEqual([7]);
    expect(readAs(timestamp, int64, 1)).toEqual([null]);
    // The text's base64 is other bytes, and bytes need not be a text.
    const bytes: DataType = { kind: 'bytes' };
    expect(readAs(string, bytes, 'abcd', '')).toEqual([null, null]);
    expect(readAs(bytes, string, Uint8Array.of(97))).toEqual([null]);
    const list = (of: DataType): DataType => ({ kind: 'list', of });
    expect(readAs(list(string), list(bytes), ['abcd'])).toEqual([[null]]);
    expect(readAs(list(int64), list(string), [large, null, 1n])).toEqual([[String(large), null, '1']]);
    expect(readAs(list(int64), string, [1n])).toEqual([null]);
  });

  it('name the columns in which that lost a value, or an item of a list; nulls lose nothing', () => {
    const typed = (x: DataType, y: DataType): SourceSpec => ({
      ...numbersSource,
      columns: [
        { name: 'x', type: x },
        { name: 'y', type: y },
      ],
    });
    const [string, int64] = [{ kind: 'string' }, { kind: 'int64' }] as const;
    const lists = (of: DataType): DataType => ({ kind: 'list', of });
    const rows: Row[] = [
      { x: '7', y: ['1', null, '-3'] },
      { x: 'seven', y: ['1', 'two'] },
      { x: 'seven', y: null },
      { x: null, y: [null, ''] },
    ];
    const body = encodeRows(
      typed(string, lists(string)),
      rows.map((row) => ({ row, knownMicros: 1 })),
    );
    expect(decodeRows(typed(int64, lists(int64)), body)).toStrictEqual([
      { row: { x: 7n, y: [1n, null, -3n] }, knownMicros: 1 },
      { row: { x: null, y: [1n, null] }, knownMicros: 1, lost: ['x', 'y'] },
      { row: { x: null, y: null }, knownMicros: 1, lost: ['x'] },
      { row: { x: null, y: [null, null] }, knownMicros: 1, lost: ['y'] },
    ]);
    const nested = decodeRows(
      typed(string, lists(lists(int64))),
      encodeRows(typed(string, lists(lists(string))), [{ row: { x: null, y: [['1', 'two'], null] }, knownMicros: 1 }]),
    );
    expect(nested).toStrictEqual([{ row: { x: null, y: [[1n, null], null] }, knownMicros: 1, lost: ['y'] }]);
  });

  it('keep every number through text and back', () => {
    for (const kind of ['int32', 'int64', 'float32', 'float64'] as const) {
      const values = BY_TYPE.find(([type]) => type.kind === kind)?.[1] as fc.Arbitrary<Value>;
      const [number, text] = [{ kind }, { kind: 'string' }].map(
        (type): SourceSpec => ({ ...numbersSource, columns: [{ name: 'x', type: type as DataType }] }),
      ) as [SourceSpec, SourceSpec];
      fc.assert(
        fc.property(values, (x) => {
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
