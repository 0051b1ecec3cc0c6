// The push path's quick ways agree with the ones that they stand for.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileRowReader,
  type DataType,
  encodeKey,
  type ErrorDetail,
  type Field,
  parseRow,
  type Value,
} from '../../src/core/index.ts';
import { compileKeyText } from '../../src/ingestion/key-text.ts';
import { runs } from '../support/tier.ts';

const few = fc.integer({ min: -2, max: 2 });
/** Values of few kinds, so that equal ones are met often. */
const KEY_VALUES: readonly (readonly [DataType, fc.Arbitrary<Value>])[] = [
  [
    { kind: 'string' },
    fc.string({ unit: fc.constantFrom('a', '1', ':', '\0', 'é', '\uD800', '\uFFFD'), maxLength: 3 }),
  ],
  [{ kind: 'bytes' }, fc.uint8Array({ max: 2, maxLength: 3 })],
  [{ kind: 'int64' }, fc.oneof(few.map(BigInt), fc.constantFrom(2n ** 62n, 2n ** 62n + 1n))],
  [{ kind: 'int32' }, few],
  [{ kind: 'float64' }, fc.constantFrom(0, -0, NaN, 1, 1.5, -Infinity, 5e-324)],
  [{ kind: 'timestamp' }, few],
  [{ kind: 'bool' }, fc.boolean()],
];

describe('the text of a key', () => {
  it('is one where the key is one, and none where it has none', () => {
    const column = fc.constantFrom(...KEY_VALUES);
    const two = fc.tuple(column, column).chain(([[a, valuesOfA], [b, valuesOfB]]) => {
      const value = (values: fc.Arbitrary<Value>) => fc.option(values, { freq: 8 });
      const key = fc.tuple(value(valuesOfA), value(valuesOfB));
      return fc.record({ types: fc.constant([a, b]), one: key, other: key, length: fc.constantFrom(1, 2) });
    });
    fc.assert(
      fc.property(two, ({ types, one, other, length }) => {
        const textOf = compileKeyText(['a', 'b'].slice(0, length));
        const keyOf = (values: readonly Value[]) => encodeKey(types.slice(0, length), values.slice(0, length));
        const [keys, texts] = [[one, other].map(keyOf), [one, other].map(([a, b]) => textOf({ a, b }))];
        expect(texts.map((text) => text === undefined)).toEqual(keys.map((key) => key === undefined));
        if (keys[0] === undefined || keys[1] === undefined) return;
        expect(texts[0] === texts[1]).toBe(Buffer.compare(keys[0], keys[1]) === 0);
      }),
      { numRuns: runs(5000) },
    );
  });
});

describe('a compiled row reader', () => {
  const FIELDS: readonly Field[] = [
    { name: 's', type: { kind: 'string' } },
    { name: 'f', type: { kind: 'float64' } },
    { name: 'at', type: { kind: 'timestamp' } },
    { name: 'constructor', type: { kind: 'int64' } },
  ];
  const read = compileRowReader(FIELDS);

  it('gives what parseRow gives, or nothing where a member is absent or wrong', () => {
    const any = fc.constantFrom<unknown>(null, 'x', 'NaN', 1, 1.5, true, 2n ** 60n, '2026-11-24T10:00:00Z', [], {});
    const some = fc.oneof(
      fc.record({ s: any, f: any, at: any, constructor: any }, { requiredKeys: [], noNullPrototype: true }),
      fc.record({
        s: fc.constantFrom('x', null),
        f: fc.constantFrom(1.5, 'NaN', null),
        at: fc.constantFrom('2026-11-24T10:00:00.5Z', '2026-11-24', null),
        constructor: fc.constantFrom(1, 2n ** 60n, null),
      }),
      any,
    );
    fc.assert(
      fc.property(some, (json) => {
        const mistakes: ErrorDetail[] = [];
        const row = parseRow(FIELDS, json, 'row', mistakes);
        const isWhole = mistakes.length === 0 && FIELDS.every(({ name }) => Object.hasOwn(json as object, name));
        expect(read(json)).toEqual(isWhole ? row : undefined);
      }),
      { numRuns: runs(2000) },
    );
  });
});
