// Values at random of a type, its edges among them.

import fc from 'fast-check';
import type { DataType, Value } from '../../src/core/index.ts';

export function anyValue(type: DataType): fc.Arbitrary<Value> {
  switch (type.kind) {
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-9n, 9n));
    case 'float32':
      return fc.oneof(fc.float(), fc.constantFrom(-0, NaN, Infinity, -Infinity));
    case 'float64':
      return fc.oneof(fc.double(), fc.constantFrom(-0, NaN, Infinity, 1e21, 5e-324, 2 ** 70));
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.toWellFormed());
    case 'bytes':
      return fc.uint8Array({ maxLength: 40 });
    case 'timestamp':
      return fc.maxSafeInteger();
    case 'vector':
      return fc.float32Array({ minLength: type.size, maxLength: type.size });
    case 'list':
      return fc.array(fc.option(anyValue(type.of), { freq: 4 }), { maxLength: 4 });
  }
}
