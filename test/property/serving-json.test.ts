// The compiled row parser and the writers of JSON on the hot path agree with naive ones, on every type; rows by columns with rows.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadraceError, parseJson, parseValue, stringifyJson, toJson } from '../../src/core/index.ts';
import type { DataType, ErrorDetail, Field, Json, Value } from '../../src/core/index.ts';
import { ByteWriter } from '../../src/online/records/bytes.ts';
import { compileRowCodec } from '../../src/online/records/row-codec.ts';
import { rowSchema } from '../../src/online/records/row-schema.ts';
import { entityRows } from '../../src/serving/feast/entity-rows.ts';
import { JsonBytes, TextInt64Bytes } from '../../src/serving/json-bytes.ts';
import { LONGEST_NUMBER, writeDouble } from '../../src/serving/json-digits.ts';
import { compileObjectWriter } from '../../src/serving/json-writer.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';
import { runs } from '../support/tier.ts';
import { int64, TYPES, valueOf } from '../support/typed-values.ts';

const list: DataType = { kind: 'list', of: { kind: 'string' } };
const field = fc.record({
  name: fc.string({ minLength: 1 }).map((name) => `n${name}`),
  type: fc.constantFrom<DataType>(...TYPES.slice(0, 9), list),
});
const fields: fc.Arbitrary<Field[]> = fc.uniqueArray(field, {
  selector: ({ name }) => name,
  minLength: 1,
  maxLength: 6,
});

const date = fc
  .date({ min: new Date('1900-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
  .map((one) => one.toISOString());
const digits = (most: number, length = 2) =>
  fc.integer({ min: 0, max: most }).map((value) => String(value).padStart(length, '0'));
const timestampText = fc.oneof(
  date,
  date.map((one) => `${one.slice(0, 19)}Z`),
  fc
    .tuple(digits(9999, 4), digits(15), digits(35), digits(30), digits(70))
    .map(([year, month, day, hour, minute]) => `${year}-${month}-${day}T${hour}:${minute}:00Z`),
);
const double = fc.double({ noNaN: true, noDefaultInfinity: true });
const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.bigInt(),
  double,
  fc.string(),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', 'AAAA'),
  timestampText,
  fc.array(fc.string(), { maxLength: 3 }),
  fc.array(double, { maxLength: 3 }),
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

const cell = fc.tuple(fc.oneof(anything, anything, halves, fc.array(halves, { maxLength: 2 })), fc.boolean(), absence);
const six = { minLength: 6, maxLength: 6 };

it('rows are parsed as their columns say one by one, and exactly those that are wrong are named', () => {
  fc.assert(
    fc.property(fields, fc.array(cell, six), fc.boolean(), (given, cells, hasMore) => {
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
    }),
  );
});

it('rows are written as the general writer writes them', () => {
  const written = fields.chain((columns) => {
    const row = fc.tuple(...columns.map(({ type }) => fc.option(valueOf(type))));
    return fc.tuple(fc.constant(columns), row);
  });
  fc.assert(
    fc.property(written, ([columns, row]) => {
      const plain = (form?: 'text') =>
        Object.fromEntries(columns.map(({ name, type }, at) => [name, toJson(type, row[at] ?? null, form)]));
      const text = compileObjectWriter(columns)(row);
      expect(text).toBe(stringifyJson(plain()));
      expect(() => parseJson(text)).not.toThrow();
      expect(compileObjectWriter(columns, 'text')(row)).toBe(JSON.stringify(plain('text')));
    }),
  );
});

describe('entities by columns, as Feast’s clients send them,', () => {
  const columns: readonly Field[] = [
    { name: 'id', type: { kind: 'int64' } },
    { name: 'city', type: { kind: 'string' } },
    { name: 'price', type: { kind: 'float64' }, isOptional: true },
    { name: 'days', type: { kind: 'list', of: { kind: 'int32' } } },
  ];
  const parseRow = compileRowParser(columns, 'rows');
  const one = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<Json>(1, -2, '3', 'x', 9007199254740993n, [1], []) },
    fc.constantFrom<Json>(null, 1.5, true, '\ud800', [null, 'a'], {}, 2n ** 70n),
  );

  it('are the rows that JSON’s would be, or mistakes in the same places', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(one, one, one, one), { minLength: 1, maxLength: 3 }), (table) => {
        const sent = entityRows(Object.fromEntries(columns.map(({ name }, at) => [name, table.map((row) => row[at])])));
        const [mistakes, expected]: [ErrorDetail[], ErrorDetail[]] = [[], []];
        const parse = sent.parser(columns, 'rows');
        const rows = table.map((_, place) => parse(place, mistakes));
        const rowOf = (row: readonly unknown[]) => Object.fromEntries(columns.map(({ name }, at) => [name, row[at]]));
        const rowsOfJson = table.map((row, place) => parseRow(rowOf(row), place, expected));
        const byColumn = (path: string) => path.replace(/^rows(\[\d+\])\.(\w+)$/, 'entities.$2$1');
        expect(sent.count).toBe(table.length);
        expect(mistakes).toEqual(expected.map(({ path, message }) => ({ path: byColumn(path), message })));
        if (mistakes.length === 0) expect(rows).toEqual(rowsOfJson);
      }),
      { numRuns: runs(500) },
    );
  });

  it('that are anything else are refused', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true }), (json) => {
        try {
          entityRows(json).parser(columns, 'rows');
        } catch (thrown) {
          if (!(thrown instanceof HeadraceError)) throw thrown;
          expect(thrown.code).toBe('HR_INVALID');
        }
      }),
      { numRuns: runs(1000) },
    );
  });
});

/** Doubles of every kind: any bits, few places after the point, whole ones, the edges of notations. */
const anyDouble = fc.oneof(
  fc.double(),
  fc
    .bigInt({ min: 0n, max: 2n ** 64n - 1n })
    .map((bits) => new Float64Array(BigUint64Array.of(bits).buffer)[0] as number),
  fc.tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 12 })).map(([whole, places]) => whole / 10 ** places),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 9 })).map(([whole, places]) => whole / 10 ** places),
  fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -30, max: 30 })).map(([a, b]) => Number(`${a}e${b}`)),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 5e-324, 1e-7, 9.5e-7, 1e-6, 0.1 + 0.2, 1e9, 999999999.99, 1e21),
  fc.constantFrom(2 ** 53, 2 ** 53 + 2),
);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.string(),
  fc.constantFrom('', '"', '\\', '\u0000', '\u001f', '\u007f', 'é', '\u2028', '😀'),
);
const micros = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -4_000_000_000, max: 4_000_000_000 }).map((seconds) => seconds * 1_000_000),
  fc.integer({ min: -200_000, max: 100_000 }).map((days) => days * 86_400_000_000),
  fc.integer({ min: -200_000, max: 100_000 }).map((days) => days * 86_400_000_000 - 1),
  fc.maxSafeInteger().map((one) => Math.trunc(one / 1000) * 1000),
);
const wholes = fc.oneof(
  int64,
  fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }),
  fc.bigInt({ min: -20n, max: 20n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, -(2n ** 53n), 2n ** 53n - 1n, 2n ** 32n, -(2n ** 32n), -1n),
);
const OWN = { int64: wholes, float32: anyDouble.map(Math.fround), float64: anyDouble, string: text, timestamp: micros };

const out = new JsonBytes();
const asText = new TextInt64Bytes();

describe.each([...TYPES.slice(0, 9), list])('a $kind', (type) => {
  const value = fc.option(valueOf(type, OWN), { freq: 10 });

  it('is written as the general writer does', () => {
    fc.assert(
      fc.property(value, (one) => {
        out.value(type, one);
        const written = out.take().toString();
        expect(written).toBe(stringifyJson(toJson(type, one)));
        expect(() => parseJson(written)).not.toThrow();
        asText.value(type, one);
        expect(asText.take().toString()).toBe(type.kind === 'int64' && one !== null ? `"${String(one)}"` : written);
      }),
      { numRuns: runs(2000) },
    );
  });

  it('is written straight from its packed row as its decoded value is', () => {
    const columns = [
      { name: 'before', type: { kind: 'string' } as const },
      { name: 'it', type },
      { name: 'after', type },
    ];
    const codec = compileRowCodec(rowSchema(columns));
    const writer = new ByteWriter();
    fc.assert(
      fc.property(value, fc.option(text), value, fc.nat({ max: 9 }), (one, before, after, at) => {
        writer.reset();
        writer.zeros(at);
        codec.write(writer, { eventMicros: 1, knownMicros: 1, values: [before, one, after] });
        const bytes = writer.take();
        expect(codec.giveColumn(bytes, at, 1, out)).toBe(one !== null);
        const value = codec.readColumn(bytes, at, 1);
        expect(out.take().toString()).toBe(stringifyJson(toJson(type, value)));
        codec.giveColumn(bytes, at, 1, asText);
        expect(asText.take().toString()).toBe(stringifyJson(toJson(type, value, 'text')));
      }),
      { numRuns: runs(500) },
    );
  });
});

it('an int64 within lists is text too where that is asked', () => {
  const type: DataType = { kind: 'list', of: { kind: 'list', of: { kind: 'int64' } } };
  fc.assert(
    fc.property(fc.array(fc.option(fc.array(fc.option(wholes)))), (one) => {
      asText.value(type, one);
      // No number beyond a double's digits is left for JSON.parse to spoil.
      expect(JSON.parse(asText.take().toString())).toEqual(
        one.map((items) => items?.map((item) => item?.toString() ?? null) ?? null),
      );
    }),
  );
});

it('doubles are written with the digits that the engine gives them, whatever their size', () => {
  const bits = new Uint32Array(2);
  const one = new Float64Array(bits.buffer);
  const bytes = new Uint8Array(LONGEST_NUMBER);
  let [seed, left, ownWays] = [88_172_645, 0, 0];
  // xorshift: https://www.jstatsoft.org/article/view/v008i14
  const next = (): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
  for (let trial = 0; trial < 200_000; trial++) {
    // From 2^-24 up to 2^60, where a text has no exponent for the most part.
    bits.set([next(), (((999 + (next() % 84)) << 20) | (next() >>> 12)) >>> 0]);
    const value = trial % 3 === 0 ? Number((one[0] as number).toPrecision(13 + (trial % 5))) : (one[0] as number);
    const end = writeDouble(bytes, 0, value);
    if (end < 0) {
      left++;
      continue;
    }
    ownWays++;
    const text = Buffer.from(bytes.subarray(0, end)).toString();
    if (text !== String(value)) expect(text).toBe(String(value));
  }
  expect(ownWays).toBeGreaterThan(4 * left);
});

it('an answer grows as long as it must, and the next one begins anew', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 3000, size: 'max' }), { maxLength: 40 }), (texts) => {
      for (const one of texts) out.raw(Buffer.from(one));
      expect(out.take().toString()).toBe(Buffer.from(texts.join('')).toString());
      expect(out.length).toBe(0);
    }),
    { numRuns: runs(50) },
  );
});
