// Values of every type that features have, for properties.

import fc from 'fast-check';
import type { DataType, Value } from '../../src/core/index.ts';

export const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

type Scalars = Partial<Record<DataType['kind'], fc.Arbitrary<Value>>>;
const SCALARS: Scalars = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64,
  float32: fc.double().map(Math.fround),
  float64: fc.oneof(fc.double(), fc.integer(), fc.constantFrom(1e20, 1e21, -1e300, 0.5)),
  string: fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string({ minLength: 30 })),
  bytes: fc.uint8Array({ maxLength: 40 }),
  timestamp: fc.maxSafeInteger(),
};

/** Of a type, never null itself; `own` in the place of what is left to chance. */
export function valueOf(type: DataType, own: Scalars = {}): fc.Arbitrary<Value> {
  if (type.kind === 'list')
    return fc.array(fc.option(valueOf(type.of, own)), { maxLength: type.of.kind === 'bool' ? 20 : 3 });
  if (type.kind !== 'vector') return { ...SCALARS, ...own }[type.kind] as fc.Arbitrary<Value>;
  const items = fc.array(valueOf({ kind: 'float32' }, own), { minLength: type.size, maxLength: type.size });
  return items.map((given) => Float32Array.from(given as number[]));
}

export const listOf = (of: DataType): DataType => ({ kind: 'list', of });

/** One of each kind, and lists. */
export const TYPES: readonly DataType[] = [
  ...(['bool', 'int32', 'int64', 'float32', 'float64', 'string', 'bytes', 'timestamp'] as const).map((kind) => ({
    kind,
  })),
  { kind: 'vector', size: 2 },
  ...(['string', 'bool', 'int64', 'float64'] as const).map((kind) => listOf({ kind })),
  listOf(listOf({ kind: 'int64' })),
  listOf(listOf({ kind: 'bool' })),
];
