// The thread of a heavy model: a session of its own, one batch at a time, errors sent back as texts.

import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../core/index.ts';
import { openSession, type Tensors } from './ort-session.ts';

export interface WorkerSettings {
  readonly onnx: Uint8Array;
  readonly providers: readonly string[];
  readonly threads: number;
}

export type WorkerReply = { readonly outputs: Tensors } | { readonly failure: string } | { readonly isReady: true };

const settings = workerData as WorkerSettings;
const port = parentPort;
if (port === null) throw new Error('inference-worker runs only as a worker thread');
const session = await openSession(settings.onnx, settings.providers, settings.threads);

port.on('message', (inputs: Tensors | 'stop') => {
  if (inputs === 'stop') {
    void session.release().then(() => port.close());
    return;
  }
  session.run(inputs).then(
    (outputs) => port.postMessage({ outputs } satisfies WorkerReply),
    (thrown: unknown) => port.postMessage({ failure: messageOf(thrown) } satisfies WorkerReply),
  );
});
port.postMessage({ isReady: true } satisfies WorkerReply);
