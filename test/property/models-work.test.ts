// Rows of every type that bind themselves into batches, through the runtime and back: each caller gets its own.

import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import type { Value } from '../../src/core/index.ts';
import type { ResolvedService } from '../../src/definitions/index.ts';
import { compileBinding, createOnnxRuntime, runRows } from '../../src/models/index.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { scopeOf } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

const COLUMNS = [
  { name: 'v__f', type: 'float32' },
  { name: 'v__d', type: 'float64' },
  { name: 'v__n', type: 'int64' },
  { name: 'v__i', type: 'int32' },
  { name: 'v__b', type: 'bool' },
  { name: 'v__s', type: 'string' },
] as const;
const onnx = passThroughModel(
  COLUMNS.map(({ name, type }, at) => ({ name, type, shape: at % 2 === 0 ? [null] : [null, 1] })),
);
const from = { kind: 'read' as const, read: 0, feature: 0 };
const features = COLUMNS.map(({ name, type: kind }) => ({ name, type: { kind }, from }));
const service: ResolvedService = { name: 's', requestColumns: [], reads: [], onDemand: [], features };
const outputs = COLUMNS.map(({ name, type: kind }) => ({ name: `${name}_out`, type: { kind } }));
const spec = { name: 'm', service: 's', outputs, providers: ['cpu'] };

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
  onTestFinished(() => model.close());
  const binding = compileBinding(model.signature, service, spec);
  const callers = fc.array(fc.array(row, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(callers, async (all) => {
      const answers = await Promise.all(all.map((rows) => runRows(model, binding, rows, scopeOf())));
      // A null in a float tensor is NaN.
      expect(answers).toEqual(all.map((rows) => rows.map((values) => values.map((value) => value ?? NaN))));
    }),
    { numRuns: runs(100) },
  );
});
