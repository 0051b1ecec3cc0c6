// The model runtime port on ONNX Runtime: a model is timed at load; a quick one runs on the event loop, where that
// costs least, a slow one in a worker thread, so that it can't hold up other requests.

import { HeadraceError } from '../../core/index.ts';
import { type BatcherOptions, createMicroBatcher } from '../micro-batcher.ts';
import type { LoadedModel, ModelRuntime, Signature } from '../model-runtime.ts';
import { type InferenceWorker, startInferenceWorker } from './inference-thread.ts';
import { signatureOf } from './onnx-signature.ts';
import { runSession, type Tensors, zeroInputs } from './run-session.ts';
import { openSession } from './session-options.ts';

export interface OnnxRuntimeOptions {
  /** A model whose one-row inference takes longer runs in a thread of its own. Default 5 ms. */
  readonly inlineMicros?: number;
  readonly maxBatchRows?: number;
  readonly maxQueuedRows?: number;
}

const WARM_RUNS = 5;

export function createOnnxRuntime(options: OnnxRuntimeOptions = {}): ModelRuntime {
  const { inlineMicros = 5000, maxBatchRows = 512, maxQueuedRows = 8192 } = options;
  const batcherOptions: BatcherOptions = { maxBatchRows, maxQueuedRows, parallel: 1 };
  return {
    async inspect(onnx) {
      const session = await openSession(onnx, ['cpu']);
      try {
        return signatureOf(session);
      } finally {
        await session.release();
      }
    },

    async load(onnx, { providers }) {
      const session = await openSession(onnx, providers);
      try {
        const signature = signatureOf(session);
        const runInline = (inputs: Tensors) => runSession(session, signature, inputs);
        const warmMicros = await warmUp(signature, runInline);
        if (warmMicros <= inlineMicros) {
          return loadedModel(signature, warmMicros, runInline, () => session.release(), batcherOptions);
        }
        await session.release();
        const worker = await startInferenceWorker(onnx, providers);
        return loadedModel(signature, warmMicros, (inputs) => worker.run(inputs), () => stop(worker), batcherOptions);
      } catch (thrown) {
        await session.release().catch(() => {});
        throw thrown;
      }
    },
  };
}

const stop = (worker: InferenceWorker): Promise<void> => worker.stop();

function loadedModel(
  signature: Signature,
  warmMicros: number,
  run: (inputs: Tensors) => Promise<Tensors>,
  release: () => Promise<void>,
  options: BatcherOptions,
): LoadedModel {
  const batcher = createMicroBatcher(signature, run, options);
  const stringInputs = signature.inputs.filter(({ type }) => type === 'string').map(({ name }) => name);
  let isClosed = false;
  return {
    signature,
    warmMicros,
    async infer(inputs) {
      if (isClosed) throw new HeadraceError('HR_MODEL_NOT_READY', 'the model was unloaded. Ask again: the endpoint serves another version now.');
      for (const name of stringInputs) refuseNul(name, inputs);
      return batcher.infer(inputs);
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await batcher.idle();
      await release();
    },
  };
}

// The runtime's strings end at NUL: such an input would be cut in silence.
function refuseNul(name: string, inputs: Tensors): void {
  const data = inputs[name]?.data;
  if (Array.isArray(data) && data.some((text: string) => text.includes('\0'))) {
    throw new HeadraceError('HR_INVALID', `input "${name}" holds a string with a NUL character, which the model would see cut there. Remove it.`);
  }
}

/** The quickest of a few one-row inferences, in microseconds. */
async function warmUp(signature: Signature, run: (inputs: Tensors) => Promise<Tensors>): Promise<number> {
  const inputs = zeroInputs(signature);
  let best = Infinity;
  for (let i = 0; i < WARM_RUNS; i++) {
    const start = performance.now();
    await run(inputs);
    best = Math.min(best, (performance.now() - start) * 1000);
  }
  return best;
}
