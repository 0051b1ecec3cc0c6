// What is shown of a row is what the model's tensors took of it.

import { expect, it } from 'vitest';
import type { Field, Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import { bindInputs, checkSignature, compileShownValues, type Signature } from '../../src/models/index.ts';

const FEATURES: readonly Field[] = [
  { name: 'v__n', type: { kind: 'int64' }, default: 7 },
  { name: 'v__s', type: { kind: 'string' }, default: 'none' },
  { name: 'v__f', type: { kind: 'float64' }, default: 5 },
  { name: 'v__unused', type: { kind: 'string' }, default: 'x' },
  { name: 'v__bare', type: { kind: 'string' } },
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
  ],
  outputs: [{ name: 'p', type: 'float32', shape: [null, 1] }],
};

it('the default where a tensor takes no null; a null that is NaN to the model stays null', () => {
  const binding = checkSignature(signature, service, model);
  const shown = compileShownValues(binding);
  const row: readonly Value[] = [null, null, null, null, 'b'];
  expect(shown(row)).toEqual([7n, 'none', null, null, 'b']);
  expect(row).toEqual([null, null, null, null, 'b']);
  const tensors = bindInputs(binding, [row]);
  expect([tensors['v__n']?.data[0], tensors['v__s']?.data[0], tensors['v__f']?.data[0]]).toEqual([7n, 'none', NaN]);
});

it('the row itself where nothing stands in', () => {
  const shown = compileShownValues(checkSignature(signature, service, model));
  const row: readonly Value[] = [1n, 's', null, null, 'b'];
  expect(shown(row)).toBe(row);
});
