// A model's thread that hangs in a run that has a row of 666, until the test lets all of them go on.

import { getEnvironmentData, parentPort } from 'node:worker_threads';
import type { SlotMemory, ThreadOrder } from '../../src/models/onnx/thread-messages.ts';

/** Shared with the test: 1 once they may. */
const mayReturn = getEnvironmentData('hanging runs may return') as Int32Array;
const slots: SlotMemory[] = [];
parentPort?.on('message', (order: ThreadOrder) => {
  if (order.kind !== 'run') return;
  if (order.memory !== undefined) slots[order.slot] = order.memory;
  const { memory } = slots[order.slot] as SlotMemory;
  if (new Float32Array(memory, 0, order.rows).includes(666)) Atomics.wait(mayReturn, 0, 0);
});
await import('../../src/models/onnx/inference-worker.ts');
