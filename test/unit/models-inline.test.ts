// A model that left the event loop, and the lane of one whose thread is the test's: who asks waits for that thread, which gets what
// can be handed over.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { LoadedModel } from '../../src/models/index.ts';
import { createInlineModel } from '../../src/models/onnx/inline-model.ts';
import { createModelLane } from '../../src/models/onnx/model-lane.ts';
import type { ModelThread } from '../../src/models/onnx/model-thread.ts';
import type { OrtSession } from '../../src/models/onnx/ort-session.ts';
import type { ThreadOrder } from '../../src/models/onnx/thread-messages.ts';
import { type Batch, createJob } from '../../src/models/queue/queued-job.ts';
import { createRunCost } from '../../src/models/queue/run-cost.ts';
import { scopeOf, submitRows } from '../support/model-works.ts';

const RUN_MS = 100_000;
const costOf = (measured: Parameters<typeof createRunCost>[0]['measured'], maxBatchRows: number, longestMs: number) =>
  createRunCost({ measured, maxBatchRows, longestRunMs: () => longestMs });

it('a model that left the event loop refuses at once what would come too late behind the run that the thread is at', async () => {
  const given: unknown[] = [];
  const tensor = (name: string) => ({ name, type: 'float32' as const, shape: [null, 1] });
  const signature = { inputs: [tensor('x')], outputs: [tensor('y')] };
  const run = () => [{ type: 'float32', shape: [1, 1], data: Float32Array.of(7) }];
  // As much of them as is used.
  const session = { signature, run, release() {} } as unknown as OrtSession;
  const order = (one: unknown) => void given.push(one);
  const thread = { listen() {}, run: order, stop: async () => {}, exited: Promise.resolve() } as unknown as ModelThread;
  const model = createInlineModel(session, {
    signature,
    mode: 'joined',
    cost: costOf({ fixedMicros: RUN_MS * 1000, rowMicros: 0, loadMicros: 0 }, 1, RUN_MS),
    maxQueuedRows: 10,
    maxQueuedBytes: 1e6,
    silenceFloorMs: 1e6,
    // Any run is too long for the event loop.
    longMs: -1,
    tooLongMs: -1,
    isAlone: false,
    openAnother: async () => thread,
  });
  const submit = (timeoutMs: number) =>
    submitRows(model as unknown as LoadedModel, [[1]], scopeOf({ timeoutMs })).catch(({ code }) => code as string);
  expect(await submit(10 * RUN_MS)).toEqual([7]);
  expect(model.placement).toBe('threads');
  const running = submit(10 * RUN_MS);
  while (given.length === 0) await nextTurn();
  // By itself it would be in time, behind the other it is not.
  const late = submit(1.5 * RUN_MS);
  expect(model.statistics()).toMatchObject({ queuedRows: 0, runningRows: 1, refused: { hopeless: 1 } });
  expect(await late).toBe('HR_OVERLOADED');
  const inTime = submit(10 * RUN_MS);
  expect(model.statistics()).toMatchObject({ queuedRows: 1, refused: { hopeless: 1 } });
  await model.close(0);
  expect(await Promise.all([running, inTime])).toEqual(['HR_MODEL_NOT_READY', 'HR_MODEL_NOT_READY']);
  await model.stop(0);
});

it('a lane gives back rows for which there is no memory, or that can’t be written, and goes on with the next', () => {
  const ordered: ThreadOrder[] = [];
  const thread = { listen() {}, run: (order: ThreadOrder) => void ordered.push(order) } as unknown as ModelThread;
  const threw: [Batch, string][] = [];
  const lane = createModelLane({
    signature: { inputs: [{ name: 'x', type: 'float32', shape: [null, null] }], outputs: [] },
    cost: costOf({ fixedMicros: 1, rowMicros: 1, loadMicros: 1 }, 8, 250),
    thread,
    openAnother: () => Promise.reject(new Error('there is one')),
    silenceFloorMs: 1000,
    ran() {},
    threw: (...told) => void threw.push(told),
    ended() {},
    replaced() {},
  });
  const batchOf = (width: number, bind = (): void => {}): Batch => {
    const work = { count: 2, scope: scopeOf(), rowShapes: [[width]], bind, done() {}, failed() {} };
    const job = createJob(work, 0, '', 4 * width);
    return { segments: [{ job, from: 0, to: 2 }], rows: 2, isRetry: false, wasTaken: false };
  };
  const unbound = batchOf(3, () => {
    throw new Error('no such value');
  });
  const [wide, narrow] = [batchOf(2 ** 50), batchOf(3)];
  lane.give(wide, 0);
  lane.give(unbound, 0);
  expect(threw).toEqual([
    [wide, expect.stringMatching(/length|allocation/)],
    [unbound, 'no such value'],
  ]);
  expect(lane.batches).toEqual([]);
  lane.give(narrow, 0);
  expect(lane.batches).toEqual([narrow]);
  expect(ordered).toMatchObject([{ kind: 'run', slot: 0, rows: 2, memory: { capacity: 2 } }]);
});
