// The compiled row parser and JSON writer of the hot path agree with the core's general ones, on every type.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type DataType,
  type ErrorDetail,
  type Field,
  parseJson,
  parseRow,
  parseValue,
  stringifyJson,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import { compileObjectWriter } from '../../src/serving/json-writer.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';

const scalar: fc.Arbitrary<DataType> = fc.constantFrom<DataType>(
  { kind: 'bool' },
  { kind: 'int32' },
  { kind: 'int64' },
  { kind: 'float32' },
  { kind: 'float64' },
  { kind: 'string' },
  { kind: 'bytes' },
  { kind: 'timestamp' },
  { kind: 'vector', size: 2 },
  { kind: 'list', of: { kind: 'string' } },
);
const fields: fc.Arbitrary<Field[]> = fc.uniqueArray(
  fc.record({ name: fc.string({ minLength: 1 }).map((name) => `n${name}`), type: scalar }),
  {
    selector: (field) => field.name,
    minLength: 1,
    maxLength: 6,
  },
);

const timestampText = fc.oneof(
  fc
    .date({ min: new Date('1900-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  fc
    .date({ min: new Date('1900-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
    .map((date) => `${date.toISOString().slice(0, 19)}Z`),
  fc
    .tuple(
      fc.integer({ min: 0, max: 9999 }),
      fc.integer({ min: 0, max: 15 }),
      fc.integer({ min: 0, max: 35 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 70 }),
    )
    .map(
      ([year, month, day, hour, minute]) =>
        `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}:00Z`,
    ),
);
const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.bigInt(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string(),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', 'AAAA'),
  timestampText,
  fc.array(fc.string(), { maxLength: 3 }),
  fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 3 }),
  fc.constant({}),
);

it('parse every row as the general parser does, with the same mistakes', () => {
  fc.assert(
    fc.property(fields, fc.array(anything, { minLength: 6, maxLength: 6 }), (columns, values) => {
      const row = Object.fromEntries(columns.map(({ name }, at) => [name, values[at]]));
      const [ours, theirs]: ErrorDetail[][] = [[], []];
      const parsed = compileRowParser(columns, 'inputs')(row, 3, ours as ErrorDetail[]);
      const expected = parseRow(columns, row, 'inputs[3]', theirs as ErrorDetail[]);
      expect(ours).toEqual(theirs);
      expect(columns.map(({ name }, at) => [name, parsed[at]])).toEqual(
        columns.map(({ name }) => [name, expected[name]]),
      );
    }),
  );
});

it('write every row as the general writer does', () => {
  fc.assert(
    fc.property(fields, fc.array(anything, { minLength: 6, maxLength: 6 }), (columns, values) => {
      const row: Value[] = columns.map(({ type }, at) => {
        const value = parseValue(type, values[at]);
        return typeof value === 'symbol' ? null : value;
      });
      const text = compileObjectWriter(columns)(row);
      expect(text).toBe(
        stringifyJson(Object.fromEntries(columns.map(({ name, type }, at) => [name, toJson(type, row[at] ?? null)]))),
      );
      expect(() => parseJson(text)).not.toThrow();
    }),
  );
});
