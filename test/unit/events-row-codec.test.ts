// Rows of an entry as bytes and back: every value exact, whatever its type.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType, Row, Value } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { decodeRows, encodeRows } from '../../src/events/segments/row-codec.ts';
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

  it('refuse a value that could not be read again, before anything is written', () => {
    const row = { n: 1.5, text: 'x', at: 1 };
    expect(() => encodeRows(numbersSource, [{ row, knownMicros: 1 }])).toThrow(TypeError);
  });
});
