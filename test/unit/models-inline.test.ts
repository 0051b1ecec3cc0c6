// A model that left the event loop: who asks for it then waits for its thread.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { LoadedModel } from '../../src/models/index.ts';
import { createInlineModel } from '../../src/models/onnx/inline-model.ts';
import type { ModelThread } from '../../src/models/onnx/model-thread.ts';
import type { OrtSession } from '../../src/models/onnx/ort-session.ts';
import { createRunCost } from '../../src/models/queue/run-cost.ts';
import { scopeOf, submitRows } from '../support/model-works.ts';

const RUN_MS = 100_000;

it('refuses at once what would come too late behind the run that the thread is at', async () => {
  const given: unknown[] = [];
  const session = {
    signature: {
      inputs: [{ name: 'x', type: 'float32', shape: [null, 1] }],
      outputs: [{ name: 'y', type: 'float32', shape: [null, 1] }],
    },
    run: () => [{ type: 'float32', shape: [1, 1], data: Float32Array.of(7) }],
    release() {},
  } as unknown as OrtSession; // as much of it as is used
  const thread = {
    listen() {},
    run: (order: unknown) => void given.push(order),
    stop: async () => {},
    exited: Promise.resolve(),
  } as unknown as ModelThread;
  const model = createInlineModel(session, {
    signature: session.signature,
    mode: 'joined',
    cost: createRunCost({
      measured: { fixedMicros: RUN_MS * 1000, rowMicros: 0, loadMicros: 0 },
      maxBatchRows: 1,
      longestRunMs: () => RUN_MS,
    }),
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
