// The thread's own side: one session, batches one after the other.

import { parentPort, workerData } from 'node:worker_threads';
import { signatureOf } from './onnx-signature.ts';
import { runSession, type Tensors } from './run-session.ts';
import { openSession } from './session-options.ts';

export interface WorkerData {
  readonly onnx: Uint8Array;
  readonly providers: readonly string[];
}

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'outputs'; readonly id: number; readonly outputs: Tensors }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string };

const { onnx, providers } = workerData as WorkerData;
const session = await openSession(onnx, providers);
const signature = signatureOf(session);
const send = (message: FromWorker): void => parentPort?.postMessage(message);

parentPort?.on('message', async ({ id, inputs }: { id: number; inputs: Tensors }) => {
  try {
    send({ kind: 'outputs', id, outputs: await runSession(session, signature, inputs) });
  } catch (thrown) {
    send({ kind: 'failed', id, reason: thrown instanceof Error ? thrown.message : String(thrown) });
  }
});
send({ kind: 'ready' });
