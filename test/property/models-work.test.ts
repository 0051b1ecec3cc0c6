// Rows of every type that bind themselves into batches, through the runtime and back: each caller gets its own.

import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import type { Value } from '../../src/core/index.ts';
import type { ResolvedService } from '../../src/definitions/index.ts';
import { compileBinding, createOnnxRuntime, type LoadedModel, runRows } from '../../src/models/index.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { scopeOf } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

const COLUMNS = [
  { name: 'v__f', type: 'float32', kind: 'float32' },
  { name: 'v__d', type: 'float64', kind: 'float64' },
  { name: 'v__n', type: 'int64', kind: 'int64' },
  { name: 'v__i', type: 'int32', kind: 'int32' },
  { name: 'v__b', type: 'bool', kind: 'bool' },
  { name: 'v__s', type: 'string', kind: 'string' },
] as const;
const onnx = passThroughModel(
  COLUMNS.map(({ name, type }, at) => ({ name, type, shape: at % 2 === 0 ? [null] : [null, 1] })),
);
const from = { kind: 'read' as const, read: 0, feature: 0 };
const service: ResolvedService = {
  name: 's',
  requestColumns: [],
  reads: [],
  onDemand: [],
  features: COLUMNS.map(({ name, kind }) => ({ name, type: { kind }, from })),
};
const spec = {
  name: 'm',
  service: 's',
  outputs: COLUMNS.map(({ name, kind }) => ({ name: `${name}_out`, type: { kind } })),
  providers: ['cpu'],
};

const models: LoadedModel[] = [];
afterAll(() => Promise.all(models.map((model) => model.close())));

const row: fc.Arbitrary<Value[]> = fc.tuple(
  fc.oneof(fc.float(), fc.constant(null)),
  fc.oneof(fc.double(), fc.constant(null)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.integer(),
  fc.boolean(),
  fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
);

it.each([
  ['on the event loop', { inlineMicros: 1e6, maxBatchRows: 8 }],
  ['in a thread', { inlineMicros: -1, maxBatchRows: 8 }],
])('gives every caller the values that it brought, %s', async (_where, options) => {
  const model = await createOnnxRuntime(options).load(onnx, { providers: ['cpu'], mayBlock: true });
  models.push(model);
  const binding = compileBinding(model.signature, service, spec);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(row, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 }),
      async (callers) => {
        const answers = await Promise.all(callers.map((rows) => runRows(model, binding, rows, scopeOf())));
        // A null in a float tensor is NaN.
        expect(answers).toEqual(callers.map((rows) => rows.map((values) => values.map((value) => value ?? NaN))));
      },
    ),
    { numRuns: runs(100) },
  );
});
