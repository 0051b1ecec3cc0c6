// Tensors that callers bring, small and large, in memory of their own or shared: joined to batches, cut to several runs or run from
// where they lie, each caller gets its own back.

import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { createOnnxRuntime, type LoadedModel, type Tensor } from '../../src/models/index.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { scopeOf } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

/** Elements of a row: 16 KiB of floats and 32 KiB of doubles. */
const WIDTH = 4096;
const onnx = passThroughModel([
  { name: 'f', type: 'float32', shape: [null, WIDTH] },
  { name: 'd', type: 'float64', shape: [null, WIDTH] },
]);

const models: LoadedModel[] = [];
afterAll(() => Promise.all(models.map((model) => model.close())));

const caller = fc.record({ rows: fc.integer({ min: 1, max: 6 }), seed: fc.integer(), isShared: fc.boolean() });

it.each([
  ['on the event loop', { inlineMicros: 1e6, maxBatchRows: 4 }],
  ['in a thread', { inlineMicros: -1, maxBatchRows: 4 }],
])('come back as they were, %s', async (_where, options) => {
  const model = await createOnnxRuntime(options).load(onnx, { providers: ['cpu'], mayBlock: true });
  models.push(model);
  await fc.assert(
    fc.asyncProperty(fc.array(caller, { minLength: 1, maxLength: 5 }), async (callers) => {
      const brought = callers.map(({ rows, seed, isShared }) => ({
        f: tensorOf(Float32Array, rows, seed, isShared),
        d: tensorOf(Float64Array, rows, seed, isShared),
      }));
      const before = brought.map(({ f, d }) => [f.data.slice(0), d.data.slice(0)]);
      const answers = await Promise.all(brought.map((inputs) => model.infer(inputs, scopeOf())));
      for (const [at, { f_out: f, d_out: d }] of answers.entries()) {
        const { f: ownF, d: ownD } = brought[at] as (typeof brought)[number];
        expect([f?.shape, d?.shape]).toEqual([ownF.shape, ownD.shape]);
        expect([f?.data, d?.data]).toEqual(before[at]);
        expect([ownF.data.slice(0), ownD.data.slice(0)]).toEqual(before[at]);
      }
    }),
    { numRuns: runs(60) },
  );
});

type Floats = typeof Float32Array | typeof Float64Array;

function tensorOf(type: Floats, rows: number, seed: number, isShared: boolean): Tensor {
  const bytes = rows * WIDTH * type.BYTES_PER_ELEMENT;
  const data = new type((isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)) as ArrayBuffer);
  for (let at = 0; at < data.length; at++) data[at] = ((seed % 1000) * 31 + at * 7) % 1009;
  return { type: type === Float32Array ? 'float32' : 'float64', shape: [rows, WIDTH], data } as Tensor;
}
