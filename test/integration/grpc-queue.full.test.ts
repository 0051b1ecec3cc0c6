// Calls that are given up while a model is busy: their rows leave its queue, and those that are still waited for are answered.
// twin: test/property/models-queue.test.ts > chooses, drops and refuses as the rules say
// twin: test/unit/models-graph.test.ts > leaves the queue with a request that is cancelled, whatever stands in

import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allOf, type GrpcClient } from '../support/grpc-client.ts';
import { type GrpcServing, openGrpcServing } from '../support/grpc-serving.ts';
import { patientModel } from '../support/onnx-model.ts';
import type { OpenServing } from '../support/open-serving.ts';

const REPOSITORY = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
const asked = onDemandView('asked', {
  inputs: { request: { x: t.float32() } }, features: { x: t.float32() }, transform: ({ request }) => ({ x: request.x }),
});
export const service = featureService('service', [asked]);
export const returns = model('returns', { features: service, outputs: { probability: t.float32() } });
export const wait = endpoint('wait', { model: returns, unit: [] });
`;
const PREDICT = '/headrace.v1.ServingService/Predict';
const INFER = '/inference.GRPCInferenceService/ModelInfer';
/** Rounds of every run, and so many more of one that keeps the others waiting: far from ten times as long, when its thread would be given up. */
const [EVERY, LONG] = [1_000_000, 1_400_000];
/** Rows a run: as many wait for their turn in the thread, at most, and no longer in the queue. */
const BATCH = 4;

let grpc: GrpcServing;
let open: OpenServing;
let client: GrpcClient;
beforeAll(async () => {
  grpc = await openGrpcServing({
    repository: REPOSITORY,
    features: 1,
    // Always slow enough for a thread.
    onnx: patientModel(EVERY),
    settings: {
      HEADRACE_MODELS_THREADS: '1',
      HEADRACE_MODELS_MAX_BATCH_ROWS: String(BATCH),
      HEADRACE_SERVER_REQUEST_TIMEOUT_MS: '60000',
    },
  });
  ({ open, client } = grpc);
}, 120_000);
afterAll(() => grpc.close());

const predict = (x: number) => ({ endpoint: 'wait', inputs: [{ columns: { x: { double_value: x } } }] });
const infer = (x: number) => ({
  model_name: 'wait',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1], contents: { fp32_contents: [x] } }],
});
const rowsRun = (): number => open.serving.planes.inference.statistics('wait').reduce((sum, { rows }) => sum + rows, 0);
/** The long one and the one that was kept, and of those that were given up what the thread had in hand. */
function expectFewRan(before: number): void {
  const ran = rowsRun() - before;
  expect(ran).toBeGreaterThanOrEqual(2);
  expect(ran).toBeLessThanOrEqual(2 + BATCH);
}

it.each([
  ['the native API', PREDICT, predict],
  ['the Open Inference Protocol', INFER, infer],
] as const)(
  'leave the queue: %s',
  async (_, method, message) => {
    await client.call(method, message(0));
    const before = rowsRun();
    const busy = client.call(method, message(LONG));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const calls: { cancel(): void }[] = [];
    const givenUp = Array.from({ length: 30 }, () =>
      client
        .call(method, message(1), { onCall: (call) => calls.push(call) })
        .catch((error: unknown) => (error as ServiceError).code),
    );
    const kept = client.call(method, message(2));
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const call of calls) call.cancel();
    expect(new Set(await Promise.all(givenUp))).toEqual(new Set([1]));
    await Promise.all([busy, kept]);
    expectFewRan(before);
  },
  60_000,
);

it('of a stream that is given up leave it, too, while calls beside it are answered', async () => {
  const before = rowsRun();
  const busy = client.call(INFER, infer(LONG));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const stream = client.stream('/inference.GRPCInferenceService/ModelStreamInfer');
  for (let i = 0; i < 10; i++) stream.write(infer(1));
  const ended = allOf(stream);
  const kept = client.call(PREDICT, predict(2));
  await new Promise((resolve) => setTimeout(resolve, 100));
  stream.cancel();
  expect((await ended).status.code).toBe(1);
  await Promise.all([busy, kept]);
  expectFewRan(before);
}, 60_000);

it('past their deadline are told so, and do not run', async () => {
  const before = rowsRun();
  const busy = client.call(PREDICT, predict(LONG));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const late = await client
    .call(PREDICT, predict(1), { timeoutMs: 40 })
    .catch((error: unknown) => error as ServiceError);
  // Told at once that there is no chance, or once the time is over.
  expect([4, 8]).toContain((late as ServiceError).code);
  await busy;
  expect(rowsRun() - before).toBe(1);
}, 60_000);
