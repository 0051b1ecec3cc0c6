// Values as bytes of an answer: the same text as the core's general writer gives, whether a value comes as such or
// straight from the packed row that it lies in.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DataType, parseJson, stringifyJson, toJson, type Value } from '../../src/core/index.ts';
import { ByteWriter } from '../../src/online/records/bytes.ts';
import { compileRowCodec } from '../../src/online/records/row-codec.ts';
import { rowSchema } from '../../src/online/records/row-schema.ts';
import { JsonBytes, TextInt64Bytes } from '../../src/serving/json-bytes.ts';
import { LONGEST_NUMBER, writeDouble } from '../../src/serving/json-digits.ts';
import { runs } from '../support/tier.ts';

/** Doubles of every kind: any bits, few places after the point, whole ones, the edges of notations. */
const double = fc.oneof(
  fc.double(),
  fc
    .bigInt({ min: 0n, max: 2n ** 64n - 1n })
    .map((bits) => new Float64Array(BigUint64Array.of(bits).buffer)[0] as number),
  fc.tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 12 })).map(([whole, places]) => whole / 10 ** places),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 9 })).map(([whole, places]) => whole / 10 ** places),
  fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -30, max: 30 })).map(([a, b]) => Number(`${a}e${b}`)),
  fc.constantFrom(
    0,
    -0,
    NaN,
    Infinity,
    -Infinity,
    1e21,
    1e-6,
    1e-7,
    9.5e-7,
    2 ** 53,
    2 ** 53 + 2,
    5e-324,
    0.1 + 0.2,
    1e9,
    999999999.99,
  ),
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
const VALUES: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64: fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }),
    fc.bigInt({ min: -20n, max: 20n }),
    fc.constantFrom(
      -(2n ** 63n),
      2n ** 63n - 1n,
      2n ** 53n,
      -(2n ** 53n),
      2n ** 53n - 1n,
      2n ** 32n,
      -(2n ** 32n),
      -1n,
    ),
  ),
  float32: double.map(Math.fround),
  float64: double,
  string: text,
  timestamp: micros,
  bytes: fc.uint8Array({ maxLength: 40 }),
  vector: fc.array(double, { minLength: 3, maxLength: 3 }).map((items) => Float32Array.from(items)),
  list: fc.array(fc.option(text), { maxLength: 4 }),
};

function typeOf(kind: string): DataType {
  if (kind === 'vector') return { kind, size: 3 };
  // Each of the table's others is a type by its kind alone.
  return kind === 'list' ? { kind, of: { kind: 'string' } } : ({ kind } as DataType);
}

const out = new JsonBytes();
const asText = new TextInt64Bytes();

describe.each(Object.keys(VALUES))('a %s', (kind) => {
  const type = typeOf(kind);
  const value = fc.option(VALUES[kind] as fc.Arbitrary<Value>, { freq: 10 });

  it('is written as the general writer does', () => {
    fc.assert(
      fc.property(value, (one) => {
        out.value(type, one);
        const written = out.take().toString();
        expect(written).toBe(stringifyJson(toJson(type, one)));
        expect(() => parseJson(written)).not.toThrow();
        asText.value(type, one);
        const text = asText.take().toString();
        expect(text).toBe(kind === 'int64' && one !== null ? `"${String(one)}"` : written);
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
        const isThere = codec.giveColumn(bytes, at, 1, out);
        expect(isThere).toBe(one !== null);
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
    fc.property(fc.array(fc.option(fc.array(fc.option(VALUES['int64'] as fc.Arbitrary<bigint>)))), (one) => {
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
