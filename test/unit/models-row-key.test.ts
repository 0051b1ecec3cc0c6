// The key of a row of feature values: the same for what a model can't tell apart, and another for everything else.

import { describe, expect, it } from 'vitest';
import type { DataType, Field, Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import { compileBinding, type RowKey, type Signature, type TensorType } from '../../src/models/index.ts';

const TENSORS: Readonly<Record<string, TensorType>> = {
  float64: 'float64',
  float32: 'float32',
  int64: 'int64',
  string: 'string',
  bool: 'bool',
};

/** Each feature as an input of its name, or all of them as one matrix. */
function keyOf(types: readonly DataType[], matrix?: TensorType): RowKey {
  const fields = types.map((type, at): Field => ({ name: `f${at}`, type }));
  const width = (type: DataType): number => (type.kind === 'vector' ? type.size : 1);
  const total = types.reduce((sum, type) => sum + width(type), 0);
  const inputs: Signature['inputs'] =
    matrix === undefined
      ? fields.map(({ name, type }) => ({
          name,
          type: TENSORS[type.kind] ?? 'float32',
          shape: type.kind === 'vector' ? [null, type.size] : [null],
        }))
      : [{ name: 'x', type: matrix, shape: [null, total] }];
  const service = {
    name: 's',
    requestColumns: [],
    reads: [],
    onDemand: [],
    features: fields.map((one) => ({ ...one, from: { kind: 'read' as const, read: 0, feature: 0 } })),
  } as ResolvedService;
  const spec: ModelSpec = {
    name: 'm',
    service: 's',
    outputs: [{ name: 'y', type: { kind: 'float32' } }],
    providers: ['cpu'],
  };
  const signature = { inputs, outputs: [{ name: 'y', type: 'float32' as const, shape: [null, 1] }] };
  const compile = compileBinding(signature, service, spec).compileKey;
  if (compile === undefined) throw new Error('a model’s own binding has a key');
  return compile();
}

const [float64, float32, int64, string, bool] = (['float64', 'float32', 'int64', 'string', 'bool'] as const).map(
  (kind): DataType => ({ kind }),
) as [DataType, DataType, DataType, DataType, DataType];

const differ = (key: RowKey, rows: readonly (readonly Value[])[]): void => {
  expect(new Set(rows.map(key)).size).toBe(rows.length);
  // The memory that it is made in is used again.
  expect(rows.map(key)).toEqual(rows.map(key));
};

describe('two rows have different keys', () => {
  it('by every bit of a number that the tensor holds', () => {
    differ(keyOf([float64]), [[0], [-0], [NaN], [Infinity], [-Infinity], [1], [1 + Number.EPSILON], [5e-324]]);
    differ(keyOf([float32], 'float32'), [[0], [-0], [NaN], [1], [Math.fround(1 + 2 ** -23)]]);
  });

  it('by whole numbers past 2^53', () => {
    differ(keyOf([int64]), [
      [2n ** 53n],
      [2n ** 53n + 1n],
      [-(2n ** 53n) - 1n],
      [2n ** 63n - 1n],
      [-(2n ** 63n)],
      [0n],
    ]);
  });

  it('by texts, wherever one ends and the next begins', () => {
    differ(keyOf([string, string]), [
      ['a', 'b'],
      ['ab', ''],
      ['', 'ab'],
      ['b', 'a'],
      ['1:a', ''],
      ['', '1:a'],
      ['ä', ''],
      ['a\u0308', ''],
      ['🜁', ''],
    ]);
  });

  it('by the order of their values, also where columns have other types', () => {
    differ(keyOf([float64, float64]), [
      [1, 2],
      [2, 1],
      [1, 1],
      [2, 2],
    ]);
    differ(keyOf([float64, bool, string]), [
      [1, true, 'a'],
      [1, false, 'a'],
      [0, true, 'a'],
      [1, true, 'b'],
    ]);
    differ(keyOf([{ kind: 'vector', size: 2 }, float64], 'float32'), [
      [Float32Array.of(1, 2), 3],
      [Float32Array.of(1, 3), 2],
      [Float32Array.of(2, 1), 3],
    ]);
  });

  it('that are short though the rows are long', () => {
    const width = 5000;
    const key = keyOf([{ kind: 'vector', size: width }], 'float32');
    const rows = [0, 1, width - 1].map((at) => [Float32Array.from({ length: width }, (_, i) => (i === at ? 1 : 0))]);
    differ(key, rows);
    for (const row of rows) expect(key(row).length).toBeLessThan(100);
  });
});

describe('two rows have one key', () => {
  it('where a null is a NaN in the tensor', () => {
    const key = keyOf([float64, float32]);
    expect(key([null, 1])).toBe(key([NaN, 1]));
    expect(key([null, 1])).not.toBe(key([0, 1]));
    expect(key([1, null])).not.toBe(key([null, 1]));
  });

  it('where the tensor holds no more of them', () => {
    const key = keyOf([int64, float64], 'float32');
    expect(key([2n ** 53n, 1])).toBe(key([2n ** 53n + 1n, 1]));
    expect(key([1n, 0.1])).toBe(key([1n, Math.fround(0.1)]));
  });
});
