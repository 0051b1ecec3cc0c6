import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  compareValues,
  type DataType,
  decodeKey,
  type EncodedKey,
  encodeKey,
  type Value,
} from '../../src/core/index.ts';
import { runs } from '../support/tier.ts';

const int64 = { kind: 'int64' } as const;
const string = { kind: 'string' } as const;
const float64 = { kind: 'float64' } as const;

const parts: readonly [DataType, fc.Arbitrary<Value>][] = [
  [int64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  [string, fc.string({ unit: 'binary', maxLength: 4 }).filter((text) => text.isWellFormed())],
  [float64, fc.double().map((value) => (value === 0 ? 0 : value))],
  [{ kind: 'bytes' }, fc.uint8Array({ maxLength: 4 })],
  [{ kind: 'timestamp' }, fc.maxSafeInteger()],
  [{ kind: 'bool' }, fc.boolean()],
];

const key = fc.constantFrom(...parts.keys()).chain((first) =>
  fc.constantFrom(...parts.keys()).chain((second) => {
    const [a, b] = [parts[first], parts[second]] as [(typeof parts)[number], (typeof parts)[number]];
    return fc.record({ types: fc.constant([a[0], b[0]]), left: fc.tuple(a[1], b[1]), right: fc.tuple(a[1], b[1]) });
  }),
);

it('orders encoded composite keys as their values', () => {
  fc.assert(
    fc.property(key, ({ types, left, right }) => {
      const encoded = [encodeKey(types, left), encodeKey(types, right)] as [Uint8Array, Uint8Array];
      const byValue = compareValues(left, right);
      expect(Math.sign(Buffer.compare(...encoded))).toBe(Math.sign(byValue));
    }),
    { numRuns: runs(1000) },
  );
});

it('gives back the values of a key', () => {
  fc.assert(
    fc.property(key, ({ types, left }) => {
      expect(decodeKey(types, encodeKey(types, left) as EncodedKey)).toEqual(left);
    }),
    { numRuns: runs(1000) },
  );
  const float32 = { kind: 'float32' } as const;
  const values = [-7, Math.fround(-0.1), Infinity, NaN];
  const types = [{ kind: 'int32' }, float32, float64, float64] as const;
  expect(decodeKey(types, encodeKey(types, values) as EncodedKey)).toEqual(values);
});

it('tells keys apart that look alike as text', () => {
  const text = (types: readonly DataType[], values: readonly Value[]) =>
    Buffer.from(encodeKey(types, values) as Uint8Array).toString('hex');
  expect(text([int64, int64], [1n, 12n])).not.toBe(text([int64, int64], [11n, 2n]));
  expect(text([string, string], ['a', 'bc'])).not.toBe(text([string, string], ['ab', 'c']));
  expect(text([string], ['1'])).not.toBe(text([int64], [1n]));
  expect(text([string, string], ['\0', ''])).not.toBe(text([string, string], ['', '\0']));
  expect(text([float64], [-0])).toBe(text([float64], [0]));
});

it('has no encoding for a null', () => {
  expect(encodeKey([int64, string], [1n, null])).toBeUndefined();
});
