// Predictions of several versions as one Arrow batch: the outputs of all of them, and what has no place in it.

import { tableFromIPC } from 'apache-arrow';
import { expect, it } from 'vitest';
import { type DataType, HeadraceError, type Value } from '../../src/core/index.ts';
import { writePredictions } from '../../src/serving/arrow/index.ts';
import type { Arm } from '../../src/serving/arm.ts';
import type { EndpointPlan } from '../../src/serving/endpoint-plan.ts';
import type { PredictionRow } from '../../src/serving/predict.ts';

const FORM = {
  returnsFeatures: false,
  int64: 'number' as const,
  tell: (error: HeadraceError) => ({ code: error.code }),
};

// The parts of an arm that an answer is made of.
const armOf = (name: string, version: number, kinds: Readonly<Record<string, DataType['kind']>>): Arm => {
  const outputs = Object.entries(kinds).map(([output, kind]) => ({ name: output, type: { kind } }));
  return { name, version, graph: { kind: 'model', model: { spec: { outputs } } } } as unknown as Arm;
};

const planOf = (...arms: Arm[]): EndpointPlan =>
  ({ arms, state: { name: 'checkout' }, model: { name: 'returns' } }) as unknown as EndpointPlan;

const answered = (arm: Arm, id: string, ...outputs: Value[]): PredictionRow => {
  const row = { outputs, features: [], statuses: [] };
  return { id, arm, row };
};

it('has the outputs of all versions, null where one has none', () => {
  const one = armOf('stable', 1, { probability: 'float32', label: 'string' });
  const two = armOf('candidate', 2, { label: 'string', points: 'int64' });
  const rows = [
    answered(one, 'a', 0.5, 'yes'),
    answered(two, 'b', 'no', 7n),
    { error: new HeadraceError('HR_INVALID', '') },
  ];
  const table = tableFromIPC(writePredictions({ plan: planOf(one, two), rows, answeredRows: 2 }, FORM));
  expect(table.toArray().map((row) => ({ ...(row as object) }))).toEqual([
    { probability: 0.5, label: 'yes', points: null, prediction_id: 'a', version: 1, variant: 'stable' },
    { probability: null, label: 'no', points: 7n, prediction_id: 'b', version: 2, variant: 'candidate' },
    { probability: null, label: null, points: null, prediction_id: null, version: null, variant: null },
  ]);
  expect(JSON.parse(table.schema.metadata.get('errors') ?? '')).toEqual([null, null, { code: 'HR_INVALID' }]);
});

it('tells which rows another variant stood in for', () => {
  const arm = armOf('stable', 1, { probability: 'float32' });
  const other: Arm = { ...arm, fallbackFrom: 'candidate' };
  const rows = [answered(arm, 'a', 0.5), answered(other, 'b', 0.5)];
  const { metadata } = tableFromIPC(writePredictions({ plan: planOf(arm), rows, answeredRows: 2 }, FORM)).schema;
  expect(JSON.parse(metadata.get('fallback_from') ?? '')).toEqual([null, 'candidate']);
});

it.each([
  ['an output under the name of a column of all', [armOf('a', 1, { version: 'int32' })], 'an output "version"'],
  [
    'an output of two types',
    [armOf('a', 1, { score: 'float32' }), armOf('b', 2, { score: 'int64' })],
    'output "score" as float32 and as int64',
  ],
])('is refused for %s, which JSON can tell', (_, arms, message) => {
  const write = () => writePredictions({ plan: planOf(...arms), rows: [], answeredRows: 0 }, FORM);
  expect(write).toThrow(expect.objectContaining({ code: 'HR_UNSUPPORTED' }));
  expect(write).toThrow(message);
});
