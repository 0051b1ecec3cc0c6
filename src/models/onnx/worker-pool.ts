// Threads for models that would block the event loop: each takes one batch at a time; one that dies is replaced.

import { Worker } from 'node:worker_threads';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { WorkerReply, WorkerSettings } from './inference-worker.ts';
import type { Tensors } from './ort-session.ts';

export interface WorkerPool {
  readonly size: number;
  /** At most `size` at once: the batcher sees to that. */
  run(inputs: Tensors): Promise<Tensors>;
  close(): Promise<void>;
}

interface Thread {
  run(inputs: Tensors): Promise<Tensors>;
  stop(): Promise<void>;
  isDead(): boolean;
}

export async function openWorkerPool(settings: WorkerSettings, size: number): Promise<WorkerPool> {
  const free = await Promise.all(Array.from({ length: size }, () => startThread(settings)));
  const all = new Set(free);
  return {
    size,
    async run(inputs) {
      let thread = free.pop();
      if (thread === undefined || thread.isDead()) {
        if (thread !== undefined) all.delete(thread);
        thread = await startThread(settings);
        all.add(thread);
      }
      try {
        return await thread.run(inputs);
      } finally {
        free.push(thread);
      }
    },
    async close() {
      await Promise.all([...all].map((thread) => thread.stop()));
    },
  };
}

// The source tree runs as it is, the package as JavaScript beside its own copy.
const script = new URL(
  import.meta.url.endsWith('.ts') ? './inference-worker.ts' : './inference-worker.js',
  import.meta.url,
);

async function startThread(settings: WorkerSettings): Promise<Thread> {
  const worker = new Worker(script, { workerData: settings });
  let pending: { resolve(outputs: Tensors): void; reject(thrown: Error): void } | undefined;
  let isDead = false;
  const fail = (reason: string): void => {
    isDead = true;
    pending?.reject(new HeadraceError('HR_INFERENCE_FAILED', `the model's thread ended: ${reason}`));
    pending = undefined;
  };
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      fail(`exit code ${code}`);
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('error', (thrown) => {
      fail(messageOf(thrown));
      reject(new HeadraceError('HR_MODEL_UNREADABLE', `the model cannot be loaded in a thread: ${String(thrown)}`));
    });
    // Without an error too; once it is ready this changes nothing.
    void exited.then(() =>
      reject(new HeadraceError('HR_MODEL_UNREADABLE', 'the model’s thread ended before it was ready')),
    );
    worker.on('message', (reply: WorkerReply) => {
      if ('isReady' in reply) return resolve();
      const waiting = pending;
      pending = undefined;
      if ('outputs' in reply) waiting?.resolve(reply.outputs);
      else waiting?.reject(new Error(reply.failure));
    });
  });
  return {
    run: (inputs) =>
      new Promise((resolve, reject) => {
        if (isDead)
          return reject(new HeadraceError('HR_INFERENCE_FAILED', 'the model’s thread has ended. Repeat the request.'));
        pending = { resolve, reject };
        worker.postMessage(inputs);
      }),
    async stop() {
      if (!isDead) worker.postMessage('stop');
      await exited;
    },
    isDead: () => isDead,
  };
}
