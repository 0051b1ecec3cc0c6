// What is shown of a row is what the model's tensors took of it.

import { expect, it } from 'vitest';
import type { Field, Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import { compileBinding, fromHalf, type Signature } from '../../src/models/index.ts';

const FEATURES: readonly Field[] = [
  { name: 'v__n', type: { kind: 'int64' }, default: 7 },
  { name: 'v__s', type: { kind: 'string' }, default: 'none' },
  { name: 'v__f', type: { kind: 'float64' }, default: 5 },
  { name: 'v__unused', type: { kind: 'string' }, default: 'x' },
  { name: 'v__bare', type: { kind: 'string' } },
  { name: 'v__half', type: { kind: 'float32' }, default: 5 },
];
const service: ResolvedService = {
  name: 's',
  requestColumns: [],
  reads: [],
  onDemand: [],
  features: FEATURES.map((field, feature) => ({ ...field, from: { kind: 'read', read: 0, feature } })),
};
const model: ModelSpec = {
  name: 'm',
  service: 's',
  outputs: [{ name: 'p', type: { kind: 'float32' } }],
  providers: ['cpu'],
};
const signature: Signature = {
  inputs: [
    { name: 'v__s', type: 'string', shape: [null, 1] },
    { name: 'v__n', type: 'int64', shape: [null] },
    { name: 'v__f', type: 'float32', shape: [null, 1] },
    { name: 'v__bare', type: 'string', shape: [null] },
    { name: 'v__half', type: 'float16', shape: [null] },
  ],
  outputs: [{ name: 'p', type: 'float32', shape: [null, 1] }],
};

const { bindRow, shown } = compileBinding(signature, service, model);

it('the default where a tensor takes no null; a null that is NaN to the model stays null', () => {
  const row: readonly Value[] = [null, null, null, null, 'b', null];
  expect(shown(row)).toEqual([7n, 'none', null, null, 'b', null]);
  expect(row).toEqual([null, null, null, null, 'b', null]);
  const [texts, whole, floats] = [new Array<string>(1), new BigInt64Array(1), new Float32Array(1)];
  const halves = new Uint16Array(1);
  const batch = [texts, whole, floats, new Array<string>(1), halves].map((data) => ({ data, width: 1 }));
  bindRow(row, batch, 0);
  expect([texts[0], whole[0], floats[0], fromHalf(halves[0] as number)]).toEqual(['none', 7n, NaN, NaN]);
});

it('the row itself where nothing stands in', () => {
  const row: readonly Value[] = [1n, 's', null, null, 'b', null];
  expect(shown(row)).toBe(row);
});
