// A model's signature against its definition, and features into tensors and back.

import { describe, expect, it } from 'vitest';
import type { DataType, Field, Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import {
  bindInputs,
  bindOutputs,
  checkSignature,
  createOnnxRuntime,
  type Signature,
  type TensorSpec,
} from '../../src/models/index.ts';
import { classifierModel, passThroughModel } from '../support/onnx-model.ts';

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

describe('one float tensor of all features', () => {
  const service = serviceOf([
    field('v__a', kinds.float64),
    field('v__b', kinds.bool),
    field('v__c', kinds.int64),
    field('v__d', { kind: 'vector', size: 2 }),
  ]);

  it('takes the features in order, with NaN for null and n places for a vector', () => {
    const binding = checkSignature(matrix(5), service, modelOf(probability));
    const rows: Value[][] = [
      [1.5, true, 7n, Float32Array.of(8, 9)],
      [null, null, null, null],
    ];
    expect(bindInputs(binding, rows)).toEqual({
      x: { type: 'float32', shape: [2, 5], data: Float32Array.of(1.5, 1, 7, 8, 9, NaN, NaN, NaN, NaN, NaN) },
    });
  });

  it('refuses another number of columns, naming both sides', () => {
    expect(() => checkSignature(matrix(4), service, modelOf(probability))).toThrow(
      /takes 4 columns.*gives 5: v__a float64/,
    );
  });

  it('refuses a feature that is no number, and says what can be done', () => {
    expect(() => checkSignature(matrix(1), serviceOf([field('v__s', kinds.string)]), modelOf(probability))).toThrow(
      /"v__s" \(string\).*on-demand view/,
    );
  });

  it('takes a free number of rows, or one at a time; no other', () => {
    const rowsOf = (rows: number): Signature => ({ ...matrix(5), inputs: [tensor('x', 'float32', [rows, 5])] });
    expect(() => checkSignature(rowsOf(1), service, modelOf(probability))).not.toThrow();
    expect(() => checkSignature(rowsOf(8), service, modelOf(probability))).toThrow(/\[8, 5\].*free first dimension/);
  });

  it('accepts an open number of columns', () => {
    expect(() => checkSignature(matrix(null), service, modelOf(probability))).not.toThrow();
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
    const binding = checkSignature(signature, service, modelOf(probability));
    expect(
      bindInputs(binding, [
        [9007199254740993n, 'é', null],
        [null, 'x', 2],
      ]),
    ).toEqual({
      v__n: { type: 'int64', shape: [2], data: BigInt64Array.of(9007199254740993n, 4n) },
      v__s: { type: 'string', shape: [2, 1], data: ['é', 'x'] },
      v__f: { type: 'float32', shape: [2, 1], data: Float32Array.of(NaN, 2) },
    });
  });

  it('names the feature that is null without a default, and refuses a NUL', () => {
    const binding = checkSignature(signature, service, modelOf(probability));
    expect(() => bindInputs(binding, [[1n, null, 1]])).toThrow(
      expect.objectContaining({ code: 'HR_NULL_FEATURE', message: expect.stringContaining('"v__s"') }),
    );
    expect(() => bindInputs(binding, [[1n, 'a\0b', 1]])).toThrow(expect.objectContaining({ code: 'HR_INVALID' }));
  });

  it('lists every input that fits no feature', () => {
    const wrong: Signature = {
      ...signature,
      inputs: [tensor('v__x', 'float32', [null]), tensor('v__s', 'float32', [null])],
    };
    expect(() => checkSignature(wrong, service, modelOf(probability))).toThrow(
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
    const binding = checkSignature(
      model.signature,
      service,
      modelOf(field('v__n_out', kinds.int64), field('v__s_out', kinds.string)),
    );
    const outputs = await model.infer(
      bindInputs(binding, [
        [-(2n ** 63n), 'ß', null],
        [2n ** 53n + 1n, '', 1],
      ]),
    );
    expect(bindOutputs(binding, outputs, 0)).toEqual({ v__n_out: -(2n ** 63n), v__s_out: 'ß' });
    expect(bindOutputs(binding, outputs, 1)).toEqual({ v__n_out: 2n ** 53n + 1n, v__s_out: '' });
    await model.close();
  });
});

describe('outputs', () => {
  const service = serviceOf([field('v__a', kinds.float32), field('v__b', kinds.float32)]);

  it('give one declared number the last column of a classifier', async () => {
    const model = await createOnnxRuntime().load(classifierModel(2), { providers: ['cpu'] });
    const binding = checkSignature(model.signature, service, modelOf(probability));
    const outputs = await model.infer(
      bindInputs(binding, [
        [0.25, 0.5],
        [0.125, 0],
      ]),
    );
    expect(bindOutputs(binding, outputs, 0)).toEqual({ probability: 0.75 });
    expect(bindOutputs(binding, outputs, 1)).toEqual({ probability: 0.125 });
    await model.close();
  });

  it('give one declared number the only output, whatever its name', () => {
    const binding = checkSignature(
      matrix(2, tensor('variable', 'float32', [null, 1])),
      service,
      modelOf(field('minutes', kinds.float64)),
    );
    expect(
      bindOutputs(binding, { variable: { type: 'float32', shape: [2, 1], data: Float32Array.of(1, 2) } }, 1),
    ).toEqual({ minutes: 2 });
  });

  it('go by name when there are several, labels and vectors too', () => {
    const outputs = [tensor('label', 'int64', [null]), tensor('scores', 'float32', [null, 3])];
    const binding = checkSignature(
      matrix(2, ...outputs),
      service,
      modelOf(field('scores', { kind: 'vector', size: 3 }), field('label', kinds.int64)),
    );
    const given = {
      label: { type: 'int64' as const, shape: [2], data: BigInt64Array.of(1n, 2n) },
      scores: { type: 'float32' as const, shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    };
    expect(bindOutputs(binding, given, 1)).toEqual({ scores: Float32Array.of(4, 5, 6), label: 2n });
  });

  it('are refused with both sides when none fits', () => {
    const three = [tensor('label', 'int64', [null]), tensor('probabilities', 'float32', [null, 3])];
    expect(() => checkSignature(matrix(2, ...three), service, modelOf(probability))).toThrow(
      /"probability" \(float32\).*"label" int64 \[N\], "probabilities" float32 \[N, 3\]/,
    );
    expect(() => checkSignature(matrix(2), service, modelOf(probability, field('other', kinds.float32)))).toThrow(
      /"other"/,
    );
  });
});
