// What an endpoint answered as tensors where its rows were answered by versions that do not give the same, and where a value is null.

import { describe, expect, it } from 'vitest';
import type { Field, Value } from '../../src/core/index.ts';
import { outputsOf } from '../../src/serving/oip/endpoint-outputs.ts';
import type { PredictAnswer } from '../../src/serving/predict.ts';

type Version = readonly Field[];

/** Rows, each with the outputs of the version that answered it. */
function answer(...rows: readonly (readonly [version: Version, ...values: Value[]])[]): PredictAnswer {
  const arms = new Map(rows.map(([version]) => [version, { graph: { model: { spec: { outputs: version } } } }]));
  const answered = rows.map(([version, ...outputs], at) => ({
    id: `p${at}`,
    arm: arms.get(version),
    row: { outputs },
  }));
  return { rows: answered } as unknown as PredictAnswer;
}

const field = (name: string, type: Field['type']): Field => ({ name, type });
const told = (given: PredictAnswer) =>
  outputsOf(given, undefined).map(({ name, type, shape, data }) => [name, type, shape, Array.from<unknown>(data)]);

describe('rows of several versions', () => {
  it('are told by a type that holds what each of them gives', () => {
    const narrow = [field('count', { kind: 'int32' }), field('score', { kind: 'float32' })];
    const wide = [field('score', { kind: 'float64' }), field('count', { kind: 'int64' })];
    expect(told(answer([narrow, 7, 0.5], [wide, 0.1, 2n ** 53n + 1n]))).toEqual([
      ['count', 'int64', [2], [7n, 2n ** 53n + 1n]],
      ['score', 'float64', [2], [0.5, 0.1]],
    ]);
  });

  it('leave out what is of another kind with each, and refuse it where it is asked for', () => {
    const label = [field('result', { kind: 'string' }), field('score', { kind: 'float64' })];
    const number = [field('result', { kind: 'int64' }), field('score', { kind: 'float64' })];
    for (const rows of [answer([label, 'spam', 1], [number, 3n, 2]), answer([number, 3n, 1], [label, 'spam', 2])]) {
      expect(told(rows)).toEqual([['score', 'float64', [2], [1, 2]]]);
      expect(() => outputsOf(rows, ['result'])).toThrow('result: the versions that answer do not all give this output');
    }
    const short = [field('embedding', { kind: 'vector', size: 2 })];
    const long = [field('embedding', { kind: 'vector', size: 3 })];
    const rows = answer([short, new Float32Array(2)], [long, new Float32Array(3)]);
    expect(told(rows)).toEqual([]);
  });
});

describe('a null', () => {
  it('is no number where the output is of floats, and fails what has no other word for it', () => {
    const floats = [field('score', { kind: 'float64' }), field('embedding', { kind: 'vector', size: 2 })];
    expect(told(answer([floats, null, null], [floats, 1, Float32Array.of(3, 4)]))).toEqual([
      ['score', 'float64', [2], [NaN, 1]],
      ['embedding', 'float32', [2, 2], [NaN, NaN, 3, 4]],
    ]);
    for (const kind of ['int32', 'int64', 'bool'] as const)
      expect(() => outputsOf(answer([[field('flag', { kind })], null]), undefined)).toThrow(
        'output "flag" is null, which a tensor of',
      );
  });
});
