// What comes under Arrow's name from anybody: cut, with flipped bytes, with lengths and offsets that lie. It is rows or an error
// of the catalogue, soon, and with no more memory than its own size allows.

import fc from 'fast-check';
import { Builder } from 'flatbuffers';
import {
  Dictionary,
  Field as LibraryField,
  Int8,
  List,
  makeData,
  makeVector,
  Null,
  Utf8,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import { Field } from 'apache-arrow/fb/field';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { Schema } from 'apache-arrow/fb/schema';
import { Struct_ } from 'apache-arrow/fb/struct-';
import { Type } from 'apache-arrow/fb/type';
import { describe, expect, it } from 'vitest';
import { type ErrorDetail, type Field as Column, HeadraceError, type Value } from '../../src/core/index.ts';
import { readArrowRows } from '../../src/serving/arrow/index.ts';
import { encodingsOf, nullColumn, streamOf } from '../support/arrow-tables.ts';
import { runs } from '../support/tier.ts';

const LIMIT = 1_000_000;
const COLUMNS: readonly Column[] = [
  { name: 'bool', type: { kind: 'bool' } },
  { name: 'int64', type: { kind: 'int64' } },
  { name: 'float64', type: { kind: 'float64' } },
  { name: 'string', type: { kind: 'string' } },
  { name: 'category', type: { kind: 'string' } },
  { name: 'bytes', type: { kind: 'bytes' } },
  { name: 'timestamp', type: { kind: 'timestamp' } },
  { name: 'vector', type: { kind: 'vector', size: 2 } },
  { name: 'list', type: { kind: 'list', of: { kind: 'list', of: { kind: 'string' } } } },
].map((column) => ({ ...column, isOptional: true }) as Column);
const VALUES: readonly Value[][] = [
  [true, null, false],
  [1n, null, -5n],
  [1.5, null, NaN],
  ['a', null, 'ünï'],
  ['x', null, 'y'],
  [Uint8Array.of(1), null, new Uint8Array(0)],
  [1, null, -1],
  [Float32Array.of(1, 2), null, Float32Array.of(3, 4)],
  [[['a', null], null], null, []],
];
const GOOD = streamOf(
  Object.fromEntries(
    COLUMNS.map(({ name, type }, at) => {
      const encodings = encodingsOf(type);
      const encoding = name === 'category' ? encodings.at(-1) : encodings[0];
      return [name, (encoding as (typeof encodings)[number]).encode(VALUES[at] as Value[])];
    }),
  ),
);

const CODES = ['HR_MALFORMED_ARROW', 'HR_INVALID', 'HR_TOO_LARGE'];

/** Rows as a request would have them, up to its limit; the code of what refuses them. */
function outcome(bytes: Uint8Array): string {
  try {
    const rows = readArrowRows(bytes, LIMIT);
    if (rows.count > 10_000) return 'HR_TOO_LARGE';
    const mistakes: ErrorDetail[] = [];
    const parse = rows.parser(COLUMNS, 'rows');
    for (let place = 0; place < rows.count; place++) parse(place, mistakes);
    return mistakes.length > 0 ? 'HR_INVALID' : 'rows';
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
    const flip = fc.tuple(
      fc.nat({ max: GOOD.length - 1 }),
      fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 127, 128, 255)),
    );
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
    const category = vectorFromArray(
      Array.from({ length: rows }, () => large),
      new Dictionary(new Utf8(), new Int8()),
    );
    expect(soonAndSmall(streamOf({ category }))).toBe('HR_TOO_LARGE');
    // Nulls without bytes, as many as one likes, in a list of a list.
    const lists = (items: number): Vector =>
      makeVector(
        makeData({
          type: new List(new LibraryField('item', new Null(), true)),
          length: 1,
          nullCount: 0,
          valueOffsets: Int32Array.of(0, items),
          child: makeData({ type: new Null(), length: items }),
        }),
      ) as Vector;
    expect(soonAndSmall(streamOf({ list: lists(10) }))).toBe('rows');
    expect(soonAndSmall(streamOf({ list: lists(2 ** 30) }))).toBe('HR_TOO_LARGE');
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
