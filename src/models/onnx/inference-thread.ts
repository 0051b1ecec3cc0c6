// A model in a worker thread: starts it, sends it batches, gives back what it answers.

import { Worker } from 'node:worker_threads';
import { HeadraceError, toHeadraceError } from '../../core/index.ts';
import type { FromWorker, WorkerData } from './inference-worker.ts';
import type { Tensors } from './run-session.ts';

export interface InferenceWorker {
  run(inputs: Tensors): Promise<Tensors>;
  stop(): Promise<void>;
}

// Sources run as .ts, the published package as .js.
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

export async function startInferenceWorker(onnx: Uint8Array, providers: readonly string[]): Promise<InferenceWorker> {
  const workerData: WorkerData = { onnx, providers };
  const worker = new Worker(new URL(`./inference-worker.${extension}`, import.meta.url), { workerData });
  const waiting = new Map<number, { resolve(outputs: Tensors): void; reject(reason: unknown): void }>();
  let nextId = 0;
  let failure: HeadraceError | undefined;

  const fail = (error: HeadraceError): void => {
    failure ??= error;
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  };

  await new Promise<void>((resolve, reject) => {
    worker.on('error', (thrown) => {
      fail(new HeadraceError('HR_INFERENCE_FAILED', `the model's thread failed: ${toHeadraceError(thrown).message}`, { cause: thrown }));
      reject(failure);
    });
    worker.on('exit', () => fail(new HeadraceError('HR_INFERENCE_FAILED', "the model's thread has ended.")));
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') return resolve();
      const caller = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.kind === 'outputs') caller?.resolve(message.outputs);
      else caller?.reject(new HeadraceError('HR_INFERENCE_FAILED', message.reason));
    });
  });

  return {
    run(inputs) {
      if (failure !== undefined) return Promise.reject(failure);
      const id = nextId++;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, inputs });
      });
    },
    async stop() {
      await worker.terminate();
    },
  };
}
