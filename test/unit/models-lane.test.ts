// A model's lane whose thread is the test's: what it is given it hands over, or says that it can't.

import { expect, it } from 'vitest';
import type { ModelThread } from '../../src/models/onnx/model-thread.ts';
import { createModelLane } from '../../src/models/onnx/model-lane.ts';
import type { ThreadOrder } from '../../src/models/onnx/thread-messages.ts';
import { type Batch, createJob } from '../../src/models/queue/queued-job.ts';
import { createRunCost } from '../../src/models/queue/run-cost.ts';
import { scopeOf } from '../support/model-works.ts';

it('gives back rows for which there is no memory, or that can’t be written, and goes on with the next', () => {
  const ordered: ThreadOrder[] = [];
  const thread = { listen() {}, run: (order: ThreadOrder) => void ordered.push(order) } as unknown as ModelThread;
  const threw: [Batch, string][] = [];
  const lane = createModelLane({
    signature: { inputs: [{ name: 'x', type: 'float32', shape: [null, null] }], outputs: [] },
    cost: createRunCost({
      measured: { fixedMicros: 1, rowMicros: 1, loadMicros: 1 },
      maxBatchRows: 8,
      longestRunMs: () => 250,
    }),
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
