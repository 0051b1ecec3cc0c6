// Tensors that callers bring, small and large, in memory of their own or shared: joined to batches, cut to several runs or run from
// where they lie, each caller gets its own back.

import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { createOnnxRuntime, type Tensor } from '../../src/models/index.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { scopeOf } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

const caller = fc.record({
  rows: fc.integer({ min: 1, max: 6 }),
  seed: fc.integer(),
  isShared: fc.boolean(),
  // How many turns of the event loop before it asks.
  turns: fc.nat({ max: 3 }),
});

const WHERE = { 'on the event loop': 1e6, 'in a thread': -1 };
// Elements of a row: two, or 16 KiB of floats and 32 KiB of doubles.
const CASES = Object.entries(WHERE).flatMap(([where, inlineMicros]) =>
  [2, 4096].map((width) => [width, where, inlineMicros] as const),
);

it.each(CASES)('of %i elements a row come back as they were, %s', async (width, _where, inlineMicros) => {
  const onnx = passThroughModel([
    { name: 'f', type: 'float32', shape: [null, width] },
    { name: 'd', type: 'float64', shape: [null, width] },
  ]);
  const runtime = createOnnxRuntime({ inlineMicros, maxBatchRows: 4 });
  const model = await runtime.load(onnx, { providers: ['cpu'], mayBlock: true });
  onTestFinished(() => model.close());
  await fc.assert(
    fc.asyncProperty(fc.array(caller, { minLength: 1, maxLength: 10 }), async (callers) => {
      await Promise.all(
        callers.map(async ({ rows, seed, isShared, turns }) => {
          const [f, d] = [Float32Array, Float64Array].map((type) => tensorOf(type, [rows, width], seed, isShared));
          const inputs = { f: f as Tensor, d: d as Tensor };
          const before = [inputs.f.data.slice(0), inputs.d.data.slice(0)];
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          const { f_out: ownF, d_out: ownD } = await model.infer(inputs, scopeOf());
          expect([ownF?.shape, ownD?.shape]).toEqual([inputs.f.shape, inputs.d.shape]);
          expect([ownF?.data, ownD?.data]).toEqual(before);
          expect([inputs.f.data.slice(0), inputs.d.data.slice(0)]).toEqual(before);
        }),
      );
    }),
    { numRuns: runs(60) },
  );
});

type Floats = typeof Float32Array | typeof Float64Array;

function tensorOf(type: Floats, shape: readonly [number, number], seed: number, isShared: boolean): Tensor {
  const bytes = shape[0] * shape[1] * type.BYTES_PER_ELEMENT;
  const data = new type((isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)) as ArrayBuffer);
  for (let at = 0; at < data.length; at++) data[at] = ((seed % 1000) * 31 + at * 7) % 1009;
  return { type: type === Float32Array ? 'float32' : 'float64', shape, data } as Tensor;
}
