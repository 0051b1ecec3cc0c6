// ONNX Runtime as a model runtime: quick models run inline in micro-batches, slow ones in threads of their own.

import type { LoadedModel, ModelRuntime, Tensor } from '../model-runtime.ts';
import { arrayOf } from '../tensor-arrays.ts';
import { createBatcher } from './batcher.ts';
import { checkTensors } from './check-tensors.ts';
import { openSession, type Tensors } from './ort-session.ts';
import { warmUp } from './warm-up.ts';
import { openWorkerPool } from './worker-pool.ts';

export interface OnnxRuntimeOptions {
  /** Models slower than this for one row leave the event loop for a thread. Default 5 ms. */
  readonly inlineMicros?: number;
  /** Threads of a slow model, each with its own copy in memory. Default 1. */
  readonly workerThreads?: number;
  /** Threads inside one inference. Default 1. */
  readonly intraOpThreads?: number;
  /** Default 256. */
  readonly maxBatchRows?: number;
  /** Rows that may wait for one model, of all callers. Default 4096. */
  readonly maxQueuedRows?: number;
}

// How long one inline batch may keep the event loop from everyone else, by the warm-up's time for a row.
const LONGEST_INLINE_MICROS = 25_000;

export function createOnnxRuntime(options: OnnxRuntimeOptions = {}): ModelRuntime {
  const {
    inlineMicros = 5000,
    workerThreads = 1,
    intraOpThreads = 1,
    maxBatchRows = 256,
    maxQueuedRows = 4096,
  } = options;
  return {
    async inspect(onnx) {
      const session = await openSession(onnx, ['cpu'], 1);
      await session.release();
      return session.signature;
    },
    async load(onnx, { providers }): Promise<LoadedModel> {
      const session = await openSession(onnx, providers, intraOpThreads);
      const { signature } = session;
      try {
        const { warmMicros, mode } = await warmUp(session);
        if (warmMicros <= inlineMicros) {
          const affordableRows = Math.max(1, Math.min(maxBatchRows, Math.floor(LONGEST_INLINE_MICROS / warmMicros)));
          const batcher = createBatcher({
            mode,
            maxBatchRows: affordableRows,
            maxQueuedRows,
            run: session.run,
            concurrency: 1,
          });
          return loaded(signature, warmMicros, batcher.infer, async () => {
            await batcher.drain();
            await session.release();
          });
        }
        const pool = await openWorkerPool({ onnx, providers, threads: intraOpThreads }, workerThreads);
        await session.release();
        const batcher = createBatcher({ mode, maxBatchRows, maxQueuedRows, run: pool.run, concurrency: pool.size });
        return loaded(signature, warmMicros, batcher.infer, async () => {
          await batcher.drain();
          await pool.close();
        });
      } catch (thrown) {
        await session.release().catch(() => {});
        throw thrown;
      }
    },
  };
}

function loaded(
  signature: LoadedModel['signature'],
  warmMicros: number,
  infer: (inputs: Tensors) => Promise<Tensors>,
  close: () => Promise<void>,
): LoadedModel {
  let closing: Promise<void> | undefined;
  return {
    signature,
    cost: { fixedMicros: warmMicros, rowMicros: 0, loadMicros: 0 },
    placement: 'inline',
    memoryBytes: 0,
    submit(work) {
      const batch = signature.inputs.map(({ type, shape }, at) => {
        const rowShape = work.rowShapes?.[at] ?? shape.slice(1).map(Number);
        const width = rowShape.reduce((product, size) => product * size, 1);
        return { data: arrayOf(type, work.count * width), width, type, shape: [work.count, ...rowShape] };
      });
      for (let row = 0; row < work.count; row++) work.bind(row, batch, row);
      const inputs = Object.fromEntries(signature.inputs.map(({ name }, at) => [name, batch[at] as Tensor]));
      infer(inputs).then(
        (outputs) =>
          work.done(
            signature.outputs.map(({ name }) => outputs[name] as Tensor),
            0,
          ),
        work.failed,
      );
    },
    async infer(inputs) {
      checkTensors(signature, inputs);
      return infer(inputs);
    },
    statistics: () => ({
      queuedRows: 0,
      runningRows: 0,
      runs: 0,
      rows: 0,
      failures: 0,
      refused: { full: 0, hopeless: 0, deadline: 0, cancelled: 0, closed: 0 },
      threadsReplaced: 0,
      busyMicros: 0,
    }),
    close: () => (closing ??= close()),
  };
}
