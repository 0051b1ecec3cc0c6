// Rows that come as Arrow, in every encoding: the values that went in, and what JSON's are. Garbage is an error, soon and small.

import * as arrow from 'apache-arrow';
import { Field } from 'apache-arrow/fb/field';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { Schema } from 'apache-arrow/fb/schema';
import { Struct_ } from 'apache-arrow/fb/struct-';
import { Type } from 'apache-arrow/fb/type';
import fc from 'fast-check';
import { Builder } from 'flatbuffers';
import { describe, expect, it } from 'vitest';
import { HeadraceError, parseJson, stringifyJson, toJson } from '../../src/core/index.ts';
import type { DataType, ErrorDetail, Field as Column, Value } from '../../src/core/index.ts';
import { readArrowRows } from '../../src/serving/arrow/index.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';
import { type Encoding, encodingsOf, nullColumn, streamOf } from '../support/arrow-tables.ts';
import { runs } from '../support/tier.ts';
import { int64, TYPES as ALL_TYPES, valueOf } from '../support/typed-values.ts';

const LIMIT = 1_000_000;
// JSON's writer has no −0.
const double = fc
  .oneof(fc.double(), fc.integer(), fc.constantFrom(NaN, Infinity, -Infinity, 2 ** 53))
  .map((value) => (value === 0 ? 0 : value));
const small = (min: number, max: number, of: number) => fc.integer({ min, max }).map((value) => value * of);
const OWN = {
  int32: fc.oneof(fc.integer(), small(-100, 100, 1)),
  int64: fc.oneof(
    int64,
    fc.bigInt({ min: -200n, max: 300n }),
    fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n),
  ),
  float32: double.map((value) => (Math.fround(value) === 0 ? 0 : Math.fround(value))),
  float64: double,
  string: fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'é', '😀', '\u0000', '\ufeffa')),
  bytes: fc.uint8Array({ maxLength: 4 }),
  timestamp: fc.oneof(
    small(-(2 ** 52), 2 ** 52, 1),
    small(-40_000, 40_000, 86_400_000_000),
    small(-4_000_000, 4_000_000, 1_000_000),
  ),
};
const TYPES = ALL_TYPES.map((type) => ({
  type,
  name: type.kind === 'list' ? `list of ${type.of.kind}` : type.kind,
  values: valueOf(type, OWN),
}));
const CASES = TYPES.flatMap((of) => encodingsOf(of.type).map((encoding) => ({ ...of, encoding })));

type Rows = readonly (readonly Value[])[] | string[];

/** As values, with mistakes. */
function parseArrow(columns: readonly Column[], stream: Uint8Array) {
  const rows = readArrowRows(stream, LIMIT);
  const mistakes: ErrorDetail[] = [];
  if (rows.count > 10_000) throw new HeadraceError('HR_TOO_LARGE', 'as a request would have it');
  const parse = rows.parser(columns, 'rows');
  return { parsed: Array.from({ length: rows.count }, (_, place) => parse(place, mistakes)), mistakes };
}

/** As values, or what is wrong with the rows. */
function readArrow(columns: readonly Column[], stream: Uint8Array): Rows {
  try {
    const { parsed, mistakes } = parseArrow(columns, stream);
    return mistakes.length > 0 ? mistakes.map(({ path }) => path) : parsed;
  } catch (thrown) {
    return (thrown as HeadraceError).details.map(({ path }) => path);
  }
}

function readJson(columns: readonly Column[], rows: readonly object[]): Rows {
  const parse = compileRowParser(columns, 'rows');
  const mistakes: ErrorDetail[] = [];
  const sent = parseJson(stringifyJson(rows)) as readonly unknown[];
  const parsed = sent.map((row, place) => parse(row, place, mistakes));
  return mistakes.length > 0 ? mistakes.map(({ path }) => path) : parsed;
}

const columnOf = (type: DataType, isOptional = false, name = 'it'): Column =>
  isOptional ? { name, type, isOptional } : { name, type };

describe.each(CASES)('$name as $encoding.name', ({ type, values, encoding }) => {
  it('is the value that went in, and what its JSON is', () => {
    fc.assert(
      fc.property(fc.array(fc.option(values, { freq: 5 }), { maxLength: 20 }), fc.boolean(), (given, isOptional) => {
        const sent = given.map((value) => (value === null || (encoding.holds?.(value) ?? true) ? value : null));
        const columns = [columnOf(type, isOptional)];
        const came = readArrow(columns, streamOf({ it: encoding.encode(sent) }));
        if (isOptional || !sent.includes(null)) expect(came).toEqual(sent.map((value) => [value]));
        const json = sent.map((value) => ({ it: toJson(type, value) }));
        expect(came).toEqual(readJson(columns, json));
      }),
      { numRuns: runs(60) },
    );
  });
});

it('several columns are rows, whatever else comes, and one that is not there is what a row without it is', () => {
  const columns = TYPES.map(({ type }, at) => columnOf(type, at % 3 === 0, `c${at}`));
  const row = fc.tuple(...TYPES.map(({ values }, at) => (at % 3 === 0 ? fc.option(values) : values)));
  const rows = fc.array(row, { minLength: 1, maxLength: 6 });
  const missing = fc.subarray(columns.map((_, at) => at));
  fc.assert(
    fc.property(rows, missing, fc.boolean(), fc.boolean(), (given, absent, hasOther, isReversed) => {
      const sent = columns.map((column, at) => ({ ...column, at })).filter(({ at }) => !absent.includes(at));
      const vectors = sent.map(({ name, type, at }) => {
        const encoding = encodingsOf(type).findLast(({ holds }) => holds === undefined) as Encoding;
        return [name, encoding.encode(given.map((one) => one[at] as Value))] as const;
      });
      const ones = given.map(() => 1);
      if (hasOther) vectors.push(['other', arrow.vectorFromArray(ones, new arrow.Int32())]);
      if (isReversed) vectors.reverse();
      if (vectors.length === 0) return;
      const json = given.map((one) => ({
        ...Object.fromEntries(sent.map(({ name, type, at }) => [name, toJson(type, one[at] as Value)])),
        ...(hasOther ? { other: 1 } : {}),
      }));
      const came: readonly unknown[] = readArrow(columns, streamOf(Object.fromEntries(vectors)));
      const expected: readonly unknown[] = readJson(columns, json);
      // What is wrong with a whole column is told once, not for each of its rows.
      const ofColumn = (one: unknown) => (typeof one === 'string' ? one.replace(/^rows\[\d+\]/, 'rows') : '');
      if (typeof came[0] === 'string') expect(new Set(came)).toEqual(new Set(expected.map(ofColumn)));
      else expect(came).toEqual(expected);
    }),
    { numRuns: runs(100) },
  );
});

const one = arrow.vectorFromArray([1], new arrow.Int32());

it('a DataFrame’s index is no slip, where a column is absent', () => {
  const columns = [columnOf({ kind: 'int32' }), columnOf({ kind: 'int32' }, true, 'more')];
  expect(readArrow(columns, streamOf({ it: one, __index_level_0__: one }))).toEqual([[1, null]]);
  expect(readArrow(columns, streamOf({ it: one, moer: one }))).toEqual(['rows.moer']);
});

it('two columns of one name are refused', () => {
  const it = () => new arrow.Field('it', new arrow.Int32());
  const twice = () => new arrow.Schema([it(), it()]);
  const children = [one.data[0], one.data[0]] as never;
  const data = arrow.makeData({ type: new arrow.Struct([]), length: 1, children });
  const table = new arrow.Table(twice(), [new arrow.RecordBatch(twice(), data)]);
  expect(() => readArrowRows(arrow.tableToIPC(table, 'stream'), LIMIT)).toThrow('it: two columns have this name');
});

it.each(TYPES)('a column of nulls alone is null in every column that may be: $name', ({ type }) => {
  const stream = streamOf({ it: nullColumn(2) });
  expect(readArrow([columnOf(type, true)], stream)).toEqual([[null], [null]]);
  expect(readArrow([columnOf(type)], stream)).toEqual(['rows[0].it', 'rows[1].it']);
});

it('what no value of the type can be is refused for its column, whatever the values are', () => {
  const numbers = new Set(['float32', 'float64', 'int32', 'int64']);
  for (const { type } of TYPES) {
    for (const { type: other, values, encoding } of CASES) {
      const takes = encodingsOf(type).some(({ name }) => name === encoding.name);
      const isNumeric = numbers.has(type.kind) && (encoding.name.includes('Int') || type.kind.startsWith('float'));
      if (takes || (isNumeric && numbers.has(other.kind)) || encoding.name.includes('List')) continue;
      const held = values.filter((value) => encoding.holds?.(value) ?? true);
      const [value] = fc.sample(held, { numRuns: runs(1), seed: 1 });
      const came = readArrow([columnOf(type)], streamOf({ it: encoding.encode([value as Value]) }));
      expect(came, `${encoding.name} as ${type.kind}`).toEqual(['rows.it']);
    }
  }
});

it('a double past the range of a float32 is none', () => {
  const [encoding] = encodingsOf({ kind: 'float64' });
  const read = (...values: number[]) =>
    readArrow([columnOf({ kind: 'float32' })], streamOf({ it: (encoding as Encoding).encode(values) }));
  expect(read(1.5, Infinity)).toEqual([[1.5], [Infinity]]);
  expect(read(1.5, 1e39)).toEqual(['rows[1].it']);
});

// One column of each type, and text as a dictionary.
const COLUMNS = [...TYPES, ...TYPES.filter(({ name }) => name === 'string')].map(({ type }, at) =>
  columnOf(type, true, `c${at}`),
);
const nameOf = (name: string): string => `c${TYPES.findIndex((type) => type.name === name)}`;
const GOOD = streamOf(
  Object.fromEntries(
    COLUMNS.map(({ name, type }, at) => {
      const encoding = encodingsOf(type).at(at < TYPES.length ? 0 : -1) as Encoding;
      const held = valueOf(type, OWN).filter((value) => encoding.holds?.(value) ?? true);
      return [name, encoding.encode([...fc.sample(held, { numRuns: 2, seed: 1 }), null])];
    }),
  ),
);

const CODES = ['HR_MALFORMED_ARROW', 'HR_INVALID', 'HR_TOO_LARGE'];

/** Rows, or the code of what refuses them. */
function outcome(bytes: Uint8Array): string {
  try {
    return parseArrow(COLUMNS, bytes).mistakes.length > 0 ? 'HR_INVALID' : 'rows';
  } catch (thrown) {
    if (thrown instanceof HeadraceError) return thrown.code;
    throw thrown;
  }
}

const memoryBytes = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** Fails where it takes a second of the processor, or 128 MiB. */
function soonAndSmall(bytes: Uint8Array): string {
  const [started, before] = [process.cpuUsage(), memoryBytes()];
  const came = outcome(bytes);
  expect(process.cpuUsage(started).user).toBeLessThan(1_000_000);
  expect(memoryBytes() - before).toBeLessThan(128 * 2 ** 20);
  return came;
}

describe('what comes as Arrow', () => {
  it('is read where nothing is wrong with it', () => expect(outcome(GOOD)).toBe('rows'));

  it('is refused wherever it is cut', () => {
    for (let size = 0; size < GOOD.length; size++)
      expect(outcome(GOOD.slice(0, size)), `${size}`).toBe('HR_MALFORMED_ARROW');
    expect(outcome(Buffer.concat([GOOD, Uint8Array.of(1)]))).toBe('HR_MALFORMED_ARROW');
  });

  it('is rows or an error of the catalogue with any bytes flipped', () => {
    const seen = new Set<string>();
    const byte = fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 127, 128, 255));
    const flip = fc.tuple(fc.nat({ max: GOOD.length - 1 }), byte);
    fc.assert(
      fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), (flips) => {
        const bytes = GOOD.slice();
        for (const [at, value] of flips) bytes[at] = value;
        const came = soonAndSmall(bytes);
        seen.add(came);
        expect([...CODES, 'rows']).toContain(came);
      }),
      { numRuns: runs(10_000) },
    );
    expect([...seen]).toEqual(expect.arrayContaining(['rows', 'HR_MALFORMED_ARROW']));
  }, 120_000);

  it('is rows or an error with each of its words made the greatest, the least or nothing', () => {
    for (let at = 0; at + 4 <= GOOD.length; at += 4) {
      for (const word of [0, 0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffff8, 8]) {
        const bytes = GOOD.slice();
        new DataView(bytes.buffer).setUint32(at, word, true);
        expect([...CODES, 'rows']).toContain(soonAndSmall(bytes));
      }
    }
  });

  it('is refused when it is anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(outcome(bytes)).toBe('HR_MALFORMED_ARROW');
        expect(outcome(Buffer.concat([Uint8Array.of(255, 255, 255, 255), bytes]))).toBe('HR_MALFORMED_ARROW');
      }),
      { numRuns: runs(2000) },
    );
    expect(outcome(Buffer.from('{"rows":[]}'))).toBe('HR_MALFORMED_ARROW');
    expect(outcome(Buffer.from('ARROW1\0\0'.repeat(4)))).toBe('HR_MALFORMED_ARROW');
  });

  it('may not describe a tree that is larger than itself', () => {
    // Each level has the one below it twice: 2^40 columns in a few hundred bytes.
    const builder = new Builder();
    let below = struct(builder, []);
    for (let level = 0; level < 14; level++) below = struct(builder, [below, below]);
    expect(soonAndSmall(schemaOf(builder, [below]))).toBe('HR_MALFORMED_ARROW');
    const deep = new Builder();
    let one = struct(deep, []);
    for (let level = 0; level < 50_000; level++) one = struct(deep, [one]);
    expect(soonAndSmall(schemaOf(deep, [one]))).toBe('HR_MALFORMED_ARROW');
  });

  it('may not stand for more than a body may hold', () => {
    const rows = 5000;
    const large = 'x'.repeat(500_000);
    const category = arrow.vectorFromArray(
      Array<string>(rows).fill(large),
      new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8()),
    );
    expect(soonAndSmall(streamOf({ [nameOf('string')]: category }))).toBe('HR_TOO_LARGE');
    // Nulls without bytes, as many as one likes, in a list of a list.
    const lists = (items: number): arrow.Vector => {
      const type = new arrow.List(new arrow.Field('item', new arrow.Null(), true));
      const child = arrow.makeData({ type: new arrow.Null(), length: items });
      return arrow.makeVector(
        arrow.makeData({ type, length: 1, nullCount: 0, valueOffsets: Int32Array.of(0, items), child }),
      );
    };
    expect(soonAndSmall(streamOf({ [nameOf('list of list')]: lists(10) }))).toBe('rows');
    expect(soonAndSmall(streamOf({ [nameOf('list of list')]: lists(2 ** 30) }))).toBe('HR_TOO_LARGE');
    expect(soonAndSmall(streamOf({ other: nullColumn(2 ** 30) }))).toBe('HR_TOO_LARGE');
  });
});

function struct(builder: Builder, children: number[]): number {
  const vector = Field.createChildrenVector(builder, children);
  Struct_.startStruct_(builder);
  const type = Struct_.endStruct_(builder);
  Field.startField(builder);
  Field.addTypeType(builder, Type.Struct_);
  Field.addType(builder, type);
  Field.addChildren(builder, vector);
  return Field.endField(builder);
}

/** A stream of this schema alone. */
function schemaOf(builder: Builder, fields: number[]): Uint8Array {
  const vector = Schema.createFieldsVector(builder, fields);
  Schema.startSchema(builder);
  Schema.addFields(builder, vector);
  const schema = Schema.endSchema(builder);
  Message.startMessage(builder);
  Message.addVersion(builder, MetadataVersion.V5);
  Message.addHeaderType(builder, MessageHeader.Schema);
  Message.addHeader(builder, schema);
  builder.finish(Message.endMessage(builder));
  const metadata = builder.asUint8Array();
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0xffffffff);
  head.writeUInt32LE(metadata.length, 4);
  return Buffer.concat([head, metadata, Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)]);
}
