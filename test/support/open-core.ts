// A model's core without a model: batches are taken, and their runs end, when a test says so.

import { createModelCore, type ModelCore } from '../../src/models/queue/model-core.ts';
import type { RunCost } from '../../src/models/queue/run-cost.ts';

const cost: RunCost = {
  runMs: () => 1,
  batchRows: () => 4,
  observe() {},
  current: () => ({ fixedMicros: 0, rowMicros: 0, loadMicros: 0 }),
};

/** Each run takes 1 ms by the estimate, with 4 rows at most, which share it; the lane is free. */
export function openCore(): ModelCore {
  return createModelCore({
    signature: { inputs: [], outputs: [] },
    mode: 'joined',
    cost,
    lanes: 1,
    maxQueuedRows: 100,
    maxQueuedBytes: Infinity,
    freeMs: (nowMs) => nowMs,
    wake() {},
  });
}
