// The compiled row parser and JSON writer of the hot path agree with naive ones, on every type.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type DataType,
  type ErrorDetail,
  type Field,
  parseJson,
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

const MISTAKE = Symbol('a mistake');

/** What the page says, column by column: no compiled parser, no way out. */
function naively(column: Field, isThere: boolean, raw: unknown): Value | typeof MISTAKE {
  if (!isThere || raw === null) {
    if (column.default !== undefined) return parseValue(column.type, column.default) as Value;
    return column.isOptional === true ? null : MISTAKE;
  }
  if (typeof raw === 'string' && column.type.kind === 'int64') {
    if (!/^-?(?:0|[1-9][0-9]{0,18})$/.test(raw)) return MISTAKE;
    return BigInt.asIntN(64, BigInt(raw)) === BigInt(raw) ? BigInt(raw) : MISTAKE;
  }
  const value = parseValue(column.type, raw);
  return typeof value === 'symbol' || hasHalf(raw) ? MISTAKE : value;
}

const hasHalf = (raw: unknown): boolean =>
  Array.isArray(raw) ? raw.some(hasHalf) : typeof raw === 'string' && /\p{Surrogate}/u.test(raw);

const DEFAULTS: Record<DataType['kind'], unknown> = {
  bool: true,
  int32: 3,
  int64: 2n ** 60n,
  float32: 0.5,
  float64: 'NaN',
  string: 'é',
  bytes: 'AAAA',
  timestamp: '2026-01-02T03:04:05Z',
  vector: [1, 2],
  list: ['a', null],
};
const absence = fc.constantFrom('required', 'optional', 'default');
const halves = fc.constantFrom('\ud800', 'a\udfff', '😀', '\udc00\ud800');

it('parse every row as its columns say one by one, and name exactly those that are wrong', () => {
  fc.assert(
    fc.property(
      fields,
      fc.array(
        fc.tuple(fc.oneof(anything, anything, halves, fc.array(halves, { maxLength: 2 })), fc.boolean(), absence),
        {
          minLength: 6,
          maxLength: 6,
        },
      ),
      fc.boolean(),
      (given, cells, hasMore) => {
        const columns = given.map((field, at): Field => {
          const kind = cells[at]?.[2];
          if (kind === 'default') return { ...field, default: DEFAULTS[field.type.kind] };
          return kind === 'optional' ? { ...field, isOptional: true } : field;
        });
        const isThere = (at: number): boolean => cells[at]?.[1] ?? false;
        const row = Object.fromEntries([
          ...columns.flatMap(({ name }, at) => (isThere(at) ? [[name, cells[at]?.[0]]] : [])),
          ...(hasMore ? [['other', 1]] : []),
        ]) as object;
        const mistakes: ErrorDetail[] = [];
        const parsed = compileRowParser(columns, 'inputs')(row, 3, mistakes);
        const expected = columns.map((column, at) => naively(column, isThere(at), cells[at]?.[0]));
        const isSlip = hasMore && columns.some((_, at) => !isThere(at));
        expect(mistakes.map(({ path }) => path)).toEqual([
          ...columns.flatMap(({ name }, at) => (expected[at] === MISTAKE ? [`inputs[3].${name}`] : [])),
          ...(isSlip ? ['inputs[3].other'] : []),
        ]);
        expect(parsed).toEqual(expected.map((value) => (value === MISTAKE ? null : value)));
      },
    ),
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
      const asText = compileObjectWriter(columns, 'text')(row);
      expect(asText).toBe(
        JSON.stringify(
          Object.fromEntries(columns.map(({ name, type }, at) => [name, toJson(type, row[at] ?? null, 'text')])),
        ),
      );
    }),
  );
});
