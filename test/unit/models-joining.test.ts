// Tensors that callers bring join a batch where copying them there costs less than the run that it saves.

import { expect, it } from 'vitest';
import { createModelQueue } from '../../src/models/queue/model-queue.ts';
import { createJob } from '../../src/models/queue/queued-job.ts';
import { scopeOf } from '../support/model-works.ts';

const MEGABYTE = 2 ** 20;
/** There and back again it takes half a millisecond. */
const [LESS_MS, MORE_MS] = [0.4, 0.7];

it.each([
  ['alone, where a run costs less', { fixedMs: LESS_MS, hasTensors: true, batches: [1, 1, 1] }],
  ['together, where a run costs more', { fixedMs: MORE_MS, hasTensors: true, batches: [3] }],
  [
    'together, where they have to be written into the batch anyway',
    { fixedMs: LESS_MS, hasTensors: false, batches: [3] },
  ],
])('rows of a megabyte run %s', (_where, { fixedMs, hasTensors, batches }) => {
  const queue = createModelQueue({
    cost: {
      runMs: (rows) => fixedMs + rows / 1000,
      batchRows: () => 8,
      observe() {},
      current: () => ({ fixedMicros: 0, rowMicros: 0, loadMicros: 0 }),
    },
    mode: 'joined',
    lanes: 1,
    maxQueuedRows: 100,
    maxQueuedBytes: 100 * MEGABYTE,
    dropped: (_job, reason) => expect.fail(reason),
  });
  for (let job = 0; job < 3; job++) {
    const work = { count: 1, scope: scopeOf(), bind() {}, done() {}, failed() {} };
    const own = hasTensors ? { ...work, tensors: [], isWhole: false } : work;
    expect(queue.offer(createJob(own, 0, '', MEGABYTE), 0, 0)).toBeUndefined();
  }
  const taken: number[] = [];
  for (let batch = queue.take(0); batch !== undefined; batch = queue.take(0)) taken.push(batch.rows);
  expect(taken).toEqual(batches);
});
