import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as core from '../../src/core/index.ts';
import { runs } from '../support/tier.ts';

const int64 = { kind: 'int64' } as const;
const string = { kind: 'string' } as const;
const float64 = { kind: 'float64' } as const;

const parts: readonly [core.DataType, fc.Arbitrary<core.Value>][] = [
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
      const encoded = [core.encodeKey(types, left), core.encodeKey(types, right)] as [Uint8Array, Uint8Array];
      const byValue = core.compareValues(left, right);
      expect(Math.sign(Buffer.compare(...encoded))).toBe(Math.sign(byValue));
    }),
    { numRuns: runs(1000) },
  );
});

it('gives back the values of a key', () => {
  const comesBack = (types: readonly core.DataType[], values: readonly core.Value[]): void => {
    expect(core.decodeKey(types, core.encodeKey(types, values) as core.EncodedKey)).toEqual(values);
  };
  fc.assert(
    fc.property(key, ({ types, left }) => comesBack(types, left)),
    { numRuns: runs(1000) },
  );
  const types = [{ kind: 'int32' }, { kind: 'float32' }, float64, float64] as const;
  comesBack(types, [-7, Math.fround(-0.1), Infinity, NaN]);
});

it('tells keys apart that look alike as text', () => {
  const text = (types: readonly core.DataType[], values: readonly core.Value[]) =>
    Buffer.from(core.encodeKey(types, values) as Uint8Array).toString('hex');
  expect(text([int64, int64], [1n, 12n])).not.toBe(text([int64, int64], [11n, 2n]));
  expect(text([string, string], ['a', 'bc'])).not.toBe(text([string, string], ['ab', 'c']));
  expect(text([string], ['1'])).not.toBe(text([int64], [1n]));
  expect(text([string, string], ['\0', ''])).not.toBe(text([string, string], ['', '\0']));
  expect(text([float64], [-0])).toBe(text([float64], [0]));
});

it('has no encoding for a null', () => {
  expect(core.encodeKey([int64, string], [1n, null])).toBeUndefined();
});
