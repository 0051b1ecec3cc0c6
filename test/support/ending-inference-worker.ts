// A model's thread that ends when a row holds 666, as one that runs out of memory or is killed would: in the midst of a run.

import { parentPort } from 'node:worker_threads';
import type { SlotMemory, ThreadOrder } from '../../src/models/onnx/thread-messages.ts';

const slots: SlotMemory[] = [];
parentPort?.on('message', (order: ThreadOrder) => {
  if (order.kind !== 'run') return;
  if (order.memory !== undefined) slots[order.slot] = order.memory;
  const { memory } = slots[order.slot] as SlotMemory;
  if (new Float32Array(memory, 0, order.rows).includes(666)) process.exit(7);
});
await import('../../src/models/onnx/inference-worker.ts');
