// A thread of the bare loop beside batch predictions: onnxruntime's own session over rows that lie ready, 2,048 at a time.

import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const BATCH = 2048;

interface Given {
  readonly onnx: Uint8Array;
  readonly features: number;
  /** Row-major; gone through again and again. */
  readonly data: Float32Array;
  readonly rows: number;
}

const { onnx, features, data, rows } = workerData as Given; // measureLoop gives it
const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const [input = ''] = session.inputNames;
const batches: Tensor[] = [];
for (let at = 0; at + BATCH * features <= data.length; at += BATCH * features)
  batches.push(new Tensor('float32', data.subarray(at, at + BATCH * features), [BATCH, features]));
await session.run({ [input]: batches[0] as Tensor });
parentPort?.postMessage('ready');
parentPort?.once('message', () => void loop());

async function loop(): Promise<void> {
  for (let done = 0, at = 0; done < rows; done += BATCH, at++)
    await session.run({ [input]: batches[at % batches.length] as Tensor });
  parentPort?.close();
}
