import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createOnnxRuntime, type LoadedModel } from '../../src/models/index.ts';
import { infer } from '../support/model-works.ts';
import { linearModel } from '../support/onnx-model.ts';
import { runs } from '../support/tier.ts';

let inline: LoadedModel;
let threaded: LoadedModel;

beforeAll(async () => {
  inline = await createOnnxRuntime({ maxBatchRows: 8 }).load(linearModel(2), { providers: ['cpu'] });
  threaded = await createOnnxRuntime({ maxBatchRows: 8, inlineMicros: -1 }).load(linearModel(2), {
    providers: ['cpu'],
  });
});
afterAll(async () => {
  await inline.close();
  await threaded.close();
});

const caller = fc.record({
  rows: fc.array(fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: -1000, max: 1000 })), {
    minLength: 1,
    maxLength: 10,
  }),
  // How many turns of the event loop before it asks.
  turns: fc.nat({ max: 3 }),
});

it.each([
  ['on the event loop', () => inline],
  ['in a thread', () => threaded],
])('gives every caller its own rows, in order, %s', async (_where, model) => {
  await fc.assert(
    fc.asyncProperty(fc.array(caller, { minLength: 1, maxLength: 12 }), async (callers) => {
      await Promise.all(
        callers.map(async ({ rows, turns }) => {
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          const x = { type: 'float32' as const, shape: [rows.length, 2], data: Float32Array.from(rows.flat()) };
          const { probability } = await infer(model(), { x });
          expect(probability?.shape).toEqual([rows.length, 1]);
          expect(Array.from(probability?.data as Float32Array)).toEqual(rows.map(([a, b]) => a + b));
        }),
      );
    }),
    { numRuns: runs(50) },
  );
});
