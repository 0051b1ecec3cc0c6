// The schemas of the OpenAPI document say what the parsers take: of every type, what the one lets through the others read.

import addFormats from 'ajv-formats';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileRowReader,
  type DataType,
  type ErrorDetail,
  INVALID,
  parseJson,
  parseRow,
  stringifyJson,
  toJson,
} from '../../src/core/index.ts';
import * as valueSchema from '../../src/serving/http/openapi/value-schema.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';
import { type Schema, type Schemas, valuesOf } from '../support/schema-values.ts';
import { runs } from '../support/tier.ts';

const { answeredSchema, exampleOf, orNull, sentSchema, VALUE_SCHEMAS } = valueSchema;
const SCALARS = ['bool', 'int32', 'int64', 'float32', 'float64', 'string', 'bytes', 'timestamp'] as const;
const scalar = fc.constantFrom<DataType>(...SCALARS.map((kind) => ({ kind })));
const types: fc.Arbitrary<DataType> = fc.oneof(
  scalar,
  scalar.map((of): DataType => ({ kind: 'list', of })),
  fc.integer({ min: 1, max: 4 }).map((size): DataType => ({ kind: 'vector', size })),
);

// Compiled as a client would: from the document's text, by the usual JSON.parse.
const schemas = JSON.parse(stringifyJson(VALUE_SCHEMAS)) as Schemas;
const ajv = new Ajv2020({ strict: false, schemas: [{ $id: 'doc', components: { schemas } }] });
addFormats.default(ajv);
const compiled = new Map<string, (value: unknown) => boolean>();
function isValid(schema: Schema, value: unknown): boolean {
  const text = JSON.stringify(schema).replaceAll('"#/components/', '"doc#/components/');
  let check = compiled.get(text);
  if (check === undefined) compiled.set(text, (check = ajv.compile(JSON.parse(text) as object)));
  return check(value);
}

/** The row's only value, as each of the parsers reads it. */
function readByAll(type: DataType, value: unknown): unknown[] {
  const json = parseJson(stringifyJson({ column: value }));
  const fields = [{ name: 'column', type }];
  const mistakes: ErrorDetail[] = [];
  const asked = compileRowParser(fields, 'inputs')(json, 0, mistakes)[0];
  const pushed = parseRow(fields, json, 'rows', mistakes)['column'];
  expect(mistakes).toEqual([]);
  return [asked, pushed, compileRowReader(fields)(json)?.['column']];
}

describe('what the document says may be sent', () => {
  it('is read, alike by requests and by pushes', () => {
    const cases = types.chain((type) => fc.tuple(fc.constant(type), valuesOf(sentSchema(type) as Schema, schemas)));
    fc.assert(
      fc.property(cases, ([type, value]) => {
        const [first, ...others] = readByAll(type, value);
        expect(first).not.toBe(INVALID);
        for (const other of others) expect(other).toEqual(first);
      }),
      { numRuns: runs(300) },
    );
  });

  it('is what is read, but for times in other forms', () => {
    const json = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
      fc.constantFrom('NaN', '-Infinity', 'AQID', 'AQI', '9223372036854775807', '-9223372036854775808', '-0', '007'),
    );
    const plain = types.filter((type) => !JSON.stringify(type).includes('timestamp'));
    fc.assert(
      fc.property(plain, json, (type, value) => {
        fc.pre(value !== null);
        // The validator knows no bigint, and -2^63 and 2^63 - 1 not by their last digits.
        const shown = typeof value === 'bigint' ? Number(value) : value;
        fc.pre(typeof value !== 'bigint' || (value > -(2n ** 62n) && value < 2n ** 62n));
        if (!isValid(sentSchema(type) as Schema, shown)) {
          const fields = [{ name: 'column', type }];
          expect(compileRowReader(fields)({ column: value })).toBeUndefined();
        } else expect(readByAll(type, value)).not.toContain(INVALID);
      }),
      { numRuns: runs(2000) },
    );
  });

  it('takes every int64 as text, and nothing past them', () => {
    const int64 = { kind: 'int64' } as const;
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n) - 1000n, max: 2n ** 63n + 1000n }), (value) => {
        const isOne = BigInt.asIntN(64, value) === value;
        expect(isValid(sentSchema(int64) as Schema, String(value))).toBe(isOne);
        if (isOne) expect(readByAll(int64, String(value))).toEqual([value, value, value]);
      }),
    );
    for (const edge of [-(2n ** 63n), 2n ** 63n - 1n]) expect(readByAll(int64, String(edge))[0]).toBe(edge);
    for (const edge of [-(2n ** 63n) - 1n, 2n ** 63n])
      expect(isValid(sentSchema(int64) as Schema, String(edge))).toBe(false);
  });

  it('has an example of each type that is one', () => {
    fc.assert(
      fc.property(types, (type) => {
        expect(isValid(sentSchema(type) as Schema, exampleOf(type))).toBe(true);
        expect(readByAll(type, exampleOf(type))).not.toContain(INVALID);
      }),
    );
  });
});

it('answers are what the document says of them', () => {
  const cases = types.chain((type) => fc.tuple(fc.constant(type), valuesOf(sentSchema(type) as Schema, schemas)));
  fc.assert(
    fc.property(cases, ([type, sent]) => {
      const [value] = readByAll(type, sent);
      const answer: unknown = JSON.parse(stringifyJson(toJson(type, value as never)));
      expect(isValid(orNull(answeredSchema(type)) as Schema, answer)).toBe(true);
    }),
    { numRuns: runs(200) },
  );
});
