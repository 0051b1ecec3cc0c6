// A model's signature against its definition, and features into tensors and back; what is shown of a row, and its key.

import { describe, expect, it, onTestFinished } from 'vitest';
import { type DataType, type Field, timeOfMicros, type Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import {
  type BatchInput,
  type Binding,
  compileBinding,
  createOnnxRuntime,
  fromHalf,
  type RowKey,
  runRows,
  type Signature,
  type Tensor,
  type TensorData,
  type TensorSpec,
  type TensorType,
} from '../../src/models/index.ts';
import { scopeOf } from '../support/model-works.ts';
import { classifierModel, halfModel } from '../support/onnx-model.ts';

type Kind = 'bool' | 'int32' | 'int64' | 'float32' | 'float64' | 'string' | 'timestamp';
const typeOf = (type: Kind | number): DataType =>
  typeof type === 'number' ? { kind: 'vector', size: type } : { kind: type };
/** `type`: a kind, or a vector's size. */
const field = (name: string, type: Kind | number, fallback?: unknown): Field =>
  fallback === undefined ? { name, type: typeOf(type) } : { name, type: typeOf(type), default: fallback };
function serviceOf(...features: readonly Field[]): ResolvedService {
  const from = { kind: 'read' as const, read: 0, feature: 0 };
  const own = features.map((feature) => ({ ...feature, from }));
  return { name: 's', requestColumns: [], reads: [], onDemand: [], features: own };
}
const modelOf = (...outputs: Field[]): ModelSpec => ({ name: 'm', service: 's', outputs, providers: ['cpu'] });
const probability = modelOf(field('probability', 'float32'));
const tensor = (name: string, type: TensorType, ...shape: TensorSpec['shape']): TensorSpec => ({ name, type, shape });
const gives = (...outputs: TensorSpec[]) =>
  outputs.length > 0 ? outputs : [tensor('probability', 'float32', null, 1)];
const takes = (...inputs: TensorSpec[]): Signature => ({ inputs, outputs: gives() });
const matrix = (width: number | null, ...outputs: TensorSpec[]): Signature => ({
  inputs: [tensor('x', 'float32', null, width)],
  outputs: gives(...outputs),
});

/** Rows bound one after the other into a batch that has room for one more before and after. */
function bind(binding: Binding, batch: readonly BatchInput[], rows: readonly (readonly Value[])[]): TensorData[] {
  rows.forEach((row, index) => {
    expect(binding.check(row)).toBeUndefined();
    binding.bindRow(row, batch, index + 1);
  });
  return batch.map(({ data, width }) => data.slice(width, width * (rows.length + 1)) as TensorData);
}

/** What the file answers to rows of a service. */
async function answers(onnx: Uint8Array, service: ResolvedService, spec: ModelSpec, ...rows: Value[][]) {
  const model = await createOnnxRuntime().load(onnx, { providers: ['cpu'] });
  onTestFinished(() => model.close());
  return runRows(model, compileBinding(model.signature, service, spec), rows, scopeOf());
}

it('times reach a tensor in microseconds, also those of the years 1 and 9999, and the row stays as it is', () => {
  const signature = takes(tensor('v__at', 'int64', null, 1), tensor('v__n', 'int64', null, 1));
  const service = serviceOf(field('v__at', 'timestamp'), field('v__n', 'int64'));
  const micros = [5n, -62_135_596_800_000_000n, 253_402_300_799_999_999n];
  const rows = micros.map((at, n): Value[] => [timeOfMicros(at) as number, BigInt(n)]);
  const before = structuredClone(rows);
  const batch = [1, 2].map(() => ({ data: new BigInt64Array(5), width: 1 }));
  const bound = bind(compileBinding(signature, service, probability), batch, rows);
  expect(bound).toEqual([BigInt64Array.of(...micros), BigInt64Array.of(0n, 1n, 2n)]);
  expect(rows).toEqual(before);
});

describe('one float tensor of all features', () => {
  const service = serviceOf(field('v__a', 'float64'), field('v__b', 'bool'), field('v__c', 'int64'), field('v__d', 2));

  it('takes the features in order, with NaN for null and n places for a vector', () => {
    const batch = [{ data: new Float32Array(20), width: 5 }];
    const rows = [[1.5, true, 7n, Float32Array.of(8, 9)], new Array<null>(4).fill(null)];
    expect(bind(compileBinding(matrix(5), service, probability), batch, rows)).toEqual([
      Float32Array.of(1.5, 1, 7, 8, 9, NaN, NaN, NaN, NaN, NaN),
    ]);
    expect([...(batch[0] as { data: Float32Array }).data.subarray(15)]).toEqual([0, 0, 0, 0, 0]);
  });

  const text = serviceOf(field('v__s', 'string'));
  const whole = serviceOf(field('v__n', 'int64'));
  it.each([
    ['another number of columns', matrix(4), service, /takes 4 columns.*gives 5: v__a float64/],
    ['a feature that is no number', matrix(1), text, /"v__s" \(string\).*on-demand view/],
    ['rows by eight', takes(tensor('x', 'float32', 8, 5)), service, /\[8, 5\].*free first dimension/],
    [
      'a feature that half precision cannot hold',
      takes(tensor('x', 'float16', null, 1)),
      whole,
      /one float16 tensor, which cannot hold "v__n" \(int64\)/,
    ],
  ])('refuses %s, naming both sides', (_what, signature, features, message) => {
    expect(() => compileBinding(signature, features, probability)).toThrow(message);
  });

  it('takes one row at a time, and an open number of columns, and says how many a row has', () => {
    const one = takes(tensor('x', 'float32', 1, 5));
    expect(compileBinding(one, service, probability).rowShapes).toBeUndefined();
    expect(compileBinding(matrix(null), service, probability).rowShapes).toEqual([[5]]);
    expect(compileBinding(matrix(5), service, probability).rowShapes).toBeUndefined();
  });

  it('takes and gives half-precision numbers as their bits', async () => {
    const halves = serviceOf(field('v__a', 'float32'), field('v__b', 2));
    const binding = compileBinding(takes(tensor('x', 'float16', null, 3)), halves, probability);
    const batch = [{ data: new Uint16Array(9), width: 3 }];
    expect(bind(binding, batch, [[null, Float32Array.of(1, -2)]])).toEqual([Uint16Array.of(0x7e00, 0x3c00, 0xc000)]);
    const rows = [0.5, 70_000].map((a) => [a, a === 0.5 ? Float32Array.of(1, 2) : Float32Array.of(0, 0)]);
    expect(await answers(halfModel(3), halves, probability, ...rows)).toEqual([[3.5], [Infinity]]);
  });
});

describe('one tensor per feature', () => {
  const service = serviceOf(field('v__n', 'int64', 4), field('v__s', 'string'), field('v__f', 'float32'));
  const texts = tensor('v__s', 'string', null, 1);
  const signature = takes(tensor('v__f', 'float32', null, 1), tensor('v__n', 'int64', null), texts);
  const binding = compileBinding(signature, service, probability);

  it('goes by full name; a null takes the default where there is no NaN', () => {
    const batch = [new Float32Array(4), new BigInt64Array(4), ['', '', '', '']].map((data) => ({ data, width: 1 }));
    const bound = bind(binding, batch, [
      [9007199254740993n, 'é', null],
      [null, 'x', 2],
    ]);
    expect(bound).toEqual([Float32Array.of(NaN, 2), BigInt64Array.of(9007199254740993n, 4n), ['é', 'x']]);
  });

  it('names the feature that is null without a default, and refuses a NUL', () => {
    const message = expect.stringContaining('"v__s"');
    expect(binding.check([1n, null, 1])).toMatchObject({ code: 'HR_NULL_FEATURE', message });
    for (const text of ['a\0b', 'a\ud800b']) expect(binding.check([1n, text, 1])).toMatchObject({ code: 'HR_INVALID' });
    expect(binding.check([null, 'a', null])).toBeUndefined();
  });

  it('lists every input that fits no feature', () => {
    const wrong = takes(tensor('v__x', 'float32', null), tensor('v__s', 'float32', null));
    const message = /"v__x" is no feature.*"v__s" is float32, the feature is string/;
    expect(() => compileBinding(wrong, service, probability)).toThrow(message);
  });
});

describe('outputs', () => {
  const service = serviceOf(field('v__a', 'float32'), field('v__b', 'float32'));

  it('give one declared number the last column of a classifier', async () => {
    expect(await answers(classifierModel(2), service, probability, [0.25, 0.5], [0.125, 0])).toEqual([[0.75], [0.125]]);
  });

  it('give one declared number the only output, whatever its name', () => {
    const binding = compileBinding(
      matrix(2, tensor('variable', 'float32', null, 1)),
      service,
      modelOf(field('minutes', 'float64')),
    );
    const given: Tensor = { type: 'float32', shape: [2, 1], data: Float32Array.of(1, 2) };
    expect(binding.readRow([given], 1)).toEqual([2]);
    expect(() => binding.readRow([given], 2)).toThrow(expect.objectContaining({ code: 'HR_INFERENCE_FAILED' }));
  });

  it('go by name when there are several, labels and vectors too', () => {
    const signature = matrix(2, tensor('label', 'int64', null), tensor('scores', 'float32', null, 3));
    const binding = compileBinding(signature, service, modelOf(field('scores', 3), field('label', 'int64')));
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
    const signature = matrix(2, tensor('wide', 'int64', null, 1));
    const binding = compileBinding(signature, service, modelOf(field('wide', kind)));
    const given: Tensor = { type: 'int64', shape: [4, 1], data: BigInt64Array.of(...good, ...bad) };
    expect([0, 1].map((row) => binding.readRow([given], row))).toEqual(good.map((one) => [Number(one)]));
    const refused = { code: 'HR_INFERENCE_FAILED', message: expect.stringContaining(kind) };
    for (const row of [2, 3]) expect(() => binding.readRow([given], row)).toThrow(expect.objectContaining(refused));
  });

  it.each<[declared: Kind | number, tensor: TensorType, widths: (number | null)[], others: (number | null)[]]>([
    ['float64', 'float32', [1, 2, null], [3]],
    ['float32', 'int64', [1, null], [2, 3]],
    ['float64', 'string', [], [1]],
    ['int64', 'int64', [1, null], [2, 3]],
    ['timestamp', 'float32', [], [1]],
    ['bool', 'bool', [1, null], [2]],
    ['bool', 'int8', [1, null], [2]],
    ['bool', 'float32', [], [1]],
    ['string', 'string', [1, null], [2]],
    ['string', 'int64', [], [1]],
    [3, 'float32', [3, null], [1, 2]],
    [3, 'int64', [3, null], [4]],
    [3, 'string', [], [3]],
  ])('declared as %s are read from %s of the widths that hold one value, and of no other', (declared, type, ...all) => {
    const fits = (width: number | null): boolean => {
      try {
        compileBinding(matrix(2, tensor('y', type, null, width)), service, modelOf(field('y', declared)));
        return true;
      } catch {
        return false;
      }
    };
    expect(all.map((widths) => widths.map(fits))).toEqual(all.map((widths, i) => widths.map(() => i === 0)));
  });

  it('are refused with both sides when none fits', () => {
    const three = matrix(2, tensor('label', 'int64', null), tensor('probabilities', 'float32', null, 3));
    expect(() => compileBinding(three, service, probability)).toThrow(
      /"probability" \(float32\).*"label" int64 \[N\], "probabilities" float32 \[N, 3\]/,
    );
    const two = modelOf(field('probability', 'float32'), field('other', 'float32'));
    expect(() => compileBinding(matrix(2), service, two)).toThrow(/"other"/);
  });
});

describe('what is shown of a row', () => {
  const service = serviceOf(
    field('v__n', 'int64', 7),
    field('v__s', 'string', 'none'),
    field('v__f', 'float64', 5),
    field('v__unused', 'string', 'x'),
    field('v__bare', 'string'),
    field('v__half', 'float32', 5),
  );
  const [text, floats, half] = [tensor('v__s', 'string', null, 1), 'float32', 'float16'] as const;
  const signature = takes(
    text,
    tensor('v__n', 'int64', null),
    tensor('v__f', floats, null, 1),
    tensor('v__bare', 'string', null),
    tensor('v__half', half, null),
  );
  const { bindRow, shown } = compileBinding(signature, service, probability);

  it('is the default where a tensor takes no null; a null that is NaN to the model stays null', () => {
    const row: readonly Value[] = [null, null, null, null, 'b', null];
    expect(shown(row)).toEqual([7n, 'none', null, null, 'b', null]);
    expect(row).toEqual([null, null, null, null, 'b', null]);
    const data = [new Array<string>(1), new BigInt64Array(1), new Float32Array(1), new Array<string>(1)] as const;
    const halves = new Uint16Array(1);
    const batch = [...data, halves].map((one) => ({ data: one, width: 1 }));
    bindRow(row, batch, 0);
    expect([...data.map(([value]) => value), fromHalf(halves[0] as number)]).toEqual(['none', 7n, NaN, 'b', NaN]);
  });

  it('is the row itself where nothing stands in', () => {
    const row: readonly Value[] = [1n, 's', null, null, 'b', null];
    expect(shown(row)).toBe(row);
  });
});

describe('the key of a row', () => {
  /** Each feature as an input of its name, or all of them as one matrix. */
  function keyOf(types: readonly (Kind | number)[], isMatrix = false): RowKey {
    const fields = types.map((type, at) => field(`f${at}`, type));
    const widths = types.map((type) => (typeof type === 'number' ? type : 1));
    const signature = isMatrix
      ? matrix(widths.reduce((sum, width) => sum + width, 0))
      : takes(...fields.map(({ name, type }) => tensor(name, type.kind as TensorType, null)));
    const compile = compileBinding(signature, serviceOf(...fields), probability).compileKey;
    return compile?.() ?? expect.fail('a model’s own binding has a key');
  }
  const vector = (...values: number[]) => Float32Array.of(...values);
  const alone = (...values: Value[]): Value[][] => values.map((value) => [value]);

  it.each<[what: string, key: RowKey, rows: readonly (readonly Value[])[]]>([
    [
      'every bit of a number that the tensor holds',
      keyOf(['float64']),
      alone(0, -0, NaN, Infinity, -Infinity, 1, 1 + Number.EPSILON, 5e-324),
    ],
    ['every bit of a float32', keyOf(['float32'], true), alone(0, -0, NaN, 1, Math.fround(1 + 2 ** -23))],
    [
      'whole numbers past 2^53',
      keyOf(['int64']),
      alone(2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n), 0n),
    ],
    [
      'texts, wherever one ends and the next begins',
      keyOf(['string', 'string']),
      ['a|b', 'ab|', '|ab', 'b|a', '1:a|', '|1:a', 'ä|', 'a\u0308|', '🜁|'].map((both) => both.split('|')),
    ],
    [
      'the order of their values',
      keyOf(['float64', 'float64']),
      ['12', '21', '11', '22'].map((two) => [...two].map(Number)),
    ],
    [
      'each of several types',
      keyOf(['float64', 'bool', 'string']),
      [
        [1, true, 'a'],
        [1, false, 'a'],
        [0, true, 'a'],
        [1, true, 'b'],
      ],
    ],
    [
      'the order within a vector and beside it',
      keyOf([2, 'float64'], true),
      [
        [vector(1, 2), 3],
        [vector(1, 3), 2],
        [vector(2, 1), 3],
      ],
    ],
    [
      'one of many numbers',
      keyOf([5000], true),
      [0, 1, 4999].map((at) => [Float32Array.from({ length: 5000 }, (_, i) => (i === at ? 1 : 0))]),
    ],
  ])('differs by %s, and is short', (_what, key, rows) => {
    expect(new Set(rows.map(key)).size).toBe(rows.length);
    // The memory that it is made in is used again.
    expect(rows.map(key)).toEqual(rows.map(key));
    for (const row of rows) expect(key(row).length).toBeLessThan(100);
  });

  it('is one where a null is a NaN in the tensor', () => {
    const key = keyOf(['float64', 'float32']);
    expect(key([null, 1])).toBe(key([NaN, 1]));
    expect(key([null, 1])).not.toBe(key([0, 1]));
    expect(key([1, null])).not.toBe(key([null, 1]));
  });

  it('is one where the tensor holds no more of them', () => {
    const key = keyOf(['int64', 'float64'], true);
    expect(key([2n ** 53n, 1])).toBe(key([2n ** 53n + 1n, 1]));
    expect(key([1n, 0.1])).toBe(key([1n, Math.fround(0.1)]));
  });
});
