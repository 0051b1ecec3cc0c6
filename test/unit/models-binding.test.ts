// A model's signature against its definition, and features into tensors and back.

import { describe, expect, it } from 'vitest';
import type { DataType, Field, Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import {
  type BatchInput,
  type Binding,
  compileBinding,
  createOnnxRuntime,
  runRows,
  type Signature,
  type Tensor,
  type TensorData,
  type TensorSpec,
} from '../../src/models/index.ts';
import { scopeOf } from '../support/model-works.ts';
import { classifierModel, halfModel, passThroughModel } from '../support/onnx-model.ts';

const field = (name: string, type: DataType, fallback?: unknown): Field =>
  fallback === undefined ? { name, type } : { name, type, default: fallback };
const kinds = {
  bool: { kind: 'bool' },
  int32: { kind: 'int32' },
  int64: { kind: 'int64' },
  float32: { kind: 'float32' },
  float64: { kind: 'float64' },
  string: { kind: 'string' },
  timestamp: { kind: 'timestamp' },
} as const;

function serviceOf(features: readonly Field[]): ResolvedService {
  const from = { kind: 'read' as const, read: 0, feature: 0 };
  return {
    name: 's',
    requestColumns: [],
    reads: [],
    onDemand: [],
    features: features.map((feature) => ({ ...feature, from })),
  };
}
const modelOf = (...outputs: Field[]): ModelSpec => ({ name: 'm', service: 's', outputs, providers: ['cpu'] });
const probability = field('probability', kinds.float32);
const tensor = (name: string, type: TensorSpec['type'], shape: TensorSpec['shape']): TensorSpec => ({
  name,
  type,
  shape,
});
const matrix = (width: number | null, ...outputs: TensorSpec[]): Signature => ({
  inputs: [tensor('x', 'float32', [null, width])],
  outputs: outputs.length === 0 ? [tensor('probability', 'float32', [null, 1])] : outputs,
});

/** Rows bound one after the other into a batch that has room for one more before and after. */
function bind(binding: Binding, batch: readonly BatchInput[], rows: readonly (readonly Value[])[]): TensorData[] {
  rows.forEach((row, index) => {
    expect(binding.check(row)).toBeUndefined();
    binding.bindRow(row, batch, index + 1);
  });
  return batch.map(({ data, width }) => data.slice(width, width * (rows.length + 1)) as TensorData);
}

describe('one float tensor of all features', () => {
  const service = serviceOf([
    field('v__a', kinds.float64),
    field('v__b', kinds.bool),
    field('v__c', kinds.int64),
    field('v__d', { kind: 'vector', size: 2 }),
  ]);

  it('takes the features in order, with NaN for null and n places for a vector', () => {
    const binding = compileBinding(matrix(5), service, modelOf(probability));
    const rows: Value[][] = [
      [1.5, true, 7n, Float32Array.of(8, 9)],
      [null, null, null, null],
    ];
    const batch = [{ data: new Float32Array(20), width: 5 }];
    expect(bind(binding, batch, rows)).toEqual([Float32Array.of(1.5, 1, 7, 8, 9, NaN, NaN, NaN, NaN, NaN)]);
    expect([...(batch[0] as { data: Float32Array }).data.subarray(15)]).toEqual([0, 0, 0, 0, 0]);
  });

  it('refuses another number of columns, naming both sides', () => {
    expect(() => compileBinding(matrix(4), service, modelOf(probability))).toThrow(
      /takes 4 columns.*gives 5: v__a float64/,
    );
  });

  it('refuses a feature that is no number, and says what can be done', () => {
    expect(() => compileBinding(matrix(1), serviceOf([field('v__s', kinds.string)]), modelOf(probability))).toThrow(
      /"v__s" \(string\).*on-demand view/,
    );
  });

  it('takes a free number of rows, or one at a time; no other', () => {
    const rowsOf = (rows: number): Signature => ({ ...matrix(5), inputs: [tensor('x', 'float32', [rows, 5])] });
    expect(() => compileBinding(rowsOf(1), service, modelOf(probability))).not.toThrow();
    expect(() => compileBinding(rowsOf(8), service, modelOf(probability))).toThrow(/\[8, 5\].*free first dimension/);
  });

  it('accepts an open number of columns, and says how many a row has', () => {
    expect(compileBinding(matrix(null), service, modelOf(probability)).rowShapes).toEqual([[5]]);
    expect(compileBinding(matrix(5), service, modelOf(probability)).rowShapes).toBeUndefined();
  });

  it('takes and gives half-precision numbers as their bits', async () => {
    const model = await createOnnxRuntime().load(halfModel(3), { providers: ['cpu'] });
    const halves = serviceOf([field('v__a', kinds.float32), field('v__b', { kind: 'vector', size: 2 })]);
    const binding = compileBinding(model.signature, halves, modelOf(probability));
    const batch = [{ data: new Uint16Array(9), width: 3 }];
    expect(bind(binding, batch, [[null, Float32Array.of(1, -2)]])).toEqual([Uint16Array.of(0x7e00, 0x3c00, 0xc000)]);
    const rows = [
      [0.5, Float32Array.of(1, 2)],
      [70_000, Float32Array.of(0, 0)],
    ];
    expect(await runRows(model, binding, rows, scopeOf())).toEqual([[3.5], [Infinity]]);
    await model.close();
  });

  it('refuses a feature that half precision cannot hold', () => {
    const signature = { ...matrix(1), inputs: [tensor('x', 'float16', [null, 1])] };
    expect(() => compileBinding(signature, serviceOf([field('v__n', kinds.int64)]), modelOf(probability))).toThrow(
      /one float16 tensor, which cannot hold "v__n" \(int64\)/,
    );
  });
});

describe('one tensor per feature', () => {
  const service = serviceOf([field('v__n', kinds.int64, 4), field('v__s', kinds.string), field('v__f', kinds.float32)]);
  const signature: Signature = {
    inputs: [
      tensor('v__f', 'float32', [null, 1]),
      tensor('v__n', 'int64', [null]),
      tensor('v__s', 'string', [null, 1]),
    ],
    outputs: [tensor('probability', 'float32', [null])],
  };

  it('goes by full name; a null takes the default where there is no NaN', () => {
    const binding = compileBinding(signature, service, modelOf(probability));
    const batch = [
      { data: new Float32Array(4), width: 1 },
      { data: new BigInt64Array(4), width: 1 },
      { data: ['', '', '', ''], width: 1 },
    ];
    expect(
      bind(binding, batch, [
        [9007199254740993n, 'é', null],
        [null, 'x', 2],
      ]),
    ).toEqual([Float32Array.of(NaN, 2), BigInt64Array.of(9007199254740993n, 4n), ['é', 'x']]);
  });

  it('names the feature that is null without a default, and refuses a NUL', () => {
    const binding = compileBinding(signature, service, modelOf(probability));
    expect(binding.check([1n, null, 1])).toMatchObject({
      code: 'HR_NULL_FEATURE',
      message: expect.stringContaining('"v__s"'),
    });
    expect(binding.check([1n, 'a\0b', 1])).toMatchObject({ code: 'HR_INVALID' });
    expect(binding.check([1n, 'a\ud800b', 1])).toMatchObject({ code: 'HR_INVALID' });
    expect(binding.check([null, 'a', null])).toBeUndefined();
  });

  it('lists every input that fits no feature', () => {
    const wrong: Signature = {
      ...signature,
      inputs: [tensor('v__x', 'float32', [null]), tensor('v__s', 'float32', [null])],
    };
    expect(() => compileBinding(wrong, service, modelOf(probability))).toThrow(
      /"v__x" is no feature.*"v__s" is float32, the feature is string/,
    );
  });

  it('keeps every value on its way through the runtime', async () => {
    const model = await createOnnxRuntime().load(
      passThroughModel([
        { name: 'v__n', type: 'int64', shape: [null] },
        { name: 'v__s', type: 'string', shape: [null, 1] },
      ]),
      { providers: ['cpu'] },
    );
    const binding = compileBinding(
      model.signature,
      service,
      modelOf(field('v__n_out', kinds.int64), field('v__s_out', kinds.string)),
    );
    const rows = [
      [-(2n ** 63n), 'ß', null],
      [2n ** 53n + 1n, '', 1],
    ];
    expect(await runRows(model, binding, rows, scopeOf())).toEqual([
      [-(2n ** 63n), 'ß'],
      [2n ** 53n + 1n, ''],
    ]);
    await model.close();
  });
});

describe('outputs', () => {
  const service = serviceOf([field('v__a', kinds.float32), field('v__b', kinds.float32)]);

  it('give one declared number the last column of a classifier', async () => {
    const model = await createOnnxRuntime().load(classifierModel(2), { providers: ['cpu'] });
    const binding = compileBinding(model.signature, service, modelOf(probability));
    const rows = [
      [0.25, 0.5],
      [0.125, 0],
    ];
    expect(await runRows(model, binding, rows, scopeOf())).toEqual([[0.75], [0.125]]);
    await model.close();
  });

  it('give one declared number the only output, whatever its name', () => {
    const binding = compileBinding(
      matrix(2, tensor('variable', 'float32', [null, 1])),
      service,
      modelOf(field('minutes', kinds.float64)),
    );
    const given: Tensor = { type: 'float32', shape: [2, 1], data: Float32Array.of(1, 2) };
    expect(binding.readRow([given], 1)).toEqual([2]);
    expect(() => binding.readRow([given], 2)).toThrow(expect.objectContaining({ code: 'HR_INFERENCE_FAILED' }));
  });

  it('go by name when there are several, labels and vectors too', () => {
    const outputs = [tensor('label', 'int64', [null]), tensor('scores', 'float32', [null, 3])];
    const binding = compileBinding(
      matrix(2, ...outputs),
      service,
      modelOf(field('scores', { kind: 'vector', size: 3 }), field('label', kinds.int64)),
    );
    const given: Tensor[] = [
      { type: 'int64', shape: [2], data: BigInt64Array.of(1n, 2n) },
      { type: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    ];
    expect(binding.readRow(given, 1)).toEqual([Float32Array.of(4, 5, 6), 2n]);
  });

  it.each([
    ['int32', [-(2n ** 31n), 2n ** 31n - 1n], [2n ** 31n, -(2n ** 31n) - 1n]],
    ['timestamp', [0n, 2n ** 53n - 1n], [2n ** 53n, 9_200_000_000_000_000_000n]],
  ] as const)('of an %s are never another number in the place of one that it can not hold', (kind, good, bad) => {
    const binding = compileBinding(
      matrix(2, tensor('wide', 'int64', [null, 1])),
      service,
      modelOf(field('wide', kinds[kind])),
    );
    const given: Tensor = { type: 'int64', shape: [4, 1], data: BigInt64Array.of(...good, ...bad) };
    expect([0, 1].map((row) => binding.readRow([given], row))).toEqual(good.map((one) => [Number(one)]));
    for (const row of [2, 3]) {
      expect(() => binding.readRow([given], row)).toThrow(
        expect.objectContaining({ code: 'HR_INFERENCE_FAILED', message: expect.stringContaining(kind) }),
      );
    }
  });

  it('are refused with both sides when none fits', () => {
    const three = [tensor('label', 'int64', [null]), tensor('probabilities', 'float32', [null, 3])];
    expect(() => compileBinding(matrix(2, ...three), service, modelOf(probability))).toThrow(
      /"probability" \(float32\).*"label" int64 \[N\], "probabilities" float32 \[N, 3\]/,
    );
    expect(() => compileBinding(matrix(2), service, modelOf(probability, field('other', kinds.float32)))).toThrow(
      /"other"/,
    );
  });
});
