// A model's thread that tells of itself, and fails to open a model when it is the third to try, as without memory.

import { getEnvironmentData, parentPort } from 'node:worker_threads';
import type { ThreadOrder } from '../../src/models/onnx/thread-messages.ts';

/** Shared with the test: how many threads have tried to open a model, and how many have been told to stop. */
const told = getEnvironmentData('threads told of') as Int32Array;
parentPort?.on('message', (order: ThreadOrder) => {
  if (order.kind === 'stop') Atomics.add(told, 1, 1);
  if (order.kind === 'open' && Atomics.add(told, 0, 1) === 2) process.exit(7);
});
await import('../../src/models/onnx/inference-worker.ts');
