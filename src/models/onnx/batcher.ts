// Micro-batching: what arrives in one turn of the event loop, or while a run is busy, runs as one batch, never mixed up.

import { HeadraceError, messageOf } from '../../core/index.ts';
import type { Tensors } from './ort-session.ts';
import { joinRows, rowsOf, shapeKey, takeRows } from './tensor-rows.ts';

export interface BatcherOptions {
  /** Runs one joined batch. */
  readonly run: (inputs: Tensors) => Promise<Tensors>;
  /** `joined`: callers share a run. `single`: one caller a run. `rowwise`: one row a run (first dimension fixed at 1). */
  readonly mode: 'joined' | 'single' | 'rowwise';
  /** Rows of one run; a caller with more runs alone, in parts, with the event loop free between them. */
  readonly maxBatchRows: number;
  /** Rows that may wait; a caller with more gets in only when nobody waits, else HR_OVERLOADED. */
  readonly maxQueuedRows: number;
  /** Batches that may run at once: 1 inline, else the number of threads. */
  readonly concurrency: number;
}

export interface Batcher {
  infer(inputs: Tensors): Promise<Tensors>;
  /** Refuses new callers and resolves when the last one is answered. */
  drain(): Promise<void>;
}

interface Waiting {
  readonly inputs: Tensors;
  readonly rows: number;
  readonly key: string;
  readonly resolve: (outputs: Tensors) => void;
  readonly reject: (thrown: unknown) => void;
}

export function createBatcher({ run, mode, maxBatchRows, maxQueuedRows, concurrency }: BatcherOptions): Batcher {
  const partRows = mode === 'rowwise' ? 1 : maxBatchRows;
  let queue: Waiting[] = [];
  let queuedRows = 0;
  let running = 0;
  let isScheduled = false;
  let isClosed = false;
  const idle: (() => void)[] = [];

  const flush = (): void => {
    isScheduled = false;
    while (queue.length > 0 && running < concurrency) {
      const batch = takeBatch();
      running++;
      void runBatch(batch).finally(() => {
        running--;
        if (queue.length > 0) flush();
        else if (running === 0) for (const resolve of idle.splice(0)) resolve();
      });
    }
  };

  const takeBatch = (): Waiting[] => {
    const first = queue[0] as Waiting;
    let size = 1;
    if (mode === 'joined') {
      for (let rows = first.rows; size < queue.length; size++) {
        const next = queue[size] as Waiting;
        rows += next.rows;
        if (rows > maxBatchRows || next.key !== first.key) break;
      }
    }
    const batch = queue.slice(0, size);
    queue = queue.slice(size);
    for (const { rows } of batch) queuedRows -= rows;
    return batch;
  };

  const runBatch = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const inputs =
        batch.length === 1 ? (batch[0] as Waiting).inputs : joinRows(batch.map((waiting) => waiting.inputs));
      const outputs = mode === 'single' ? await run(inputs) : await runInParts(run, inputs, partRows);
      if (batch.length === 1) return (batch[0] as Waiting).resolve(outputs);
      let start = 0;
      for (const waiting of batch) {
        waiting.resolve(takeRows(outputs, start, start + waiting.rows));
        start += waiting.rows;
      }
    } catch (thrown) {
      const failure = thrown instanceof HeadraceError ? thrown : failed(thrown);
      // One caller's rows must not fail another's: each runs again by itself.
      if (batch.length > 1 && failure.code === 'HR_INFERENCE_FAILED')
        for (const waiting of batch) await runBatch([waiting]);
      else for (const waiting of batch) waiting.reject(failure);
    }
  };

  return {
    infer(inputs) {
      if (isClosed)
        return Promise.reject(
          new HeadraceError('HR_MODEL_NOT_READY', 'this model version was unloaded. Repeat the request.'),
        );
      const rows = rowsOf(inputs);
      if (queue.length > 0 && queuedRows + rows > maxQueuedRows) {
        return Promise.reject(
          new HeadraceError('HR_OVERLOADED', `${queuedRows} rows wait for this model already. Retry after a second.`),
        );
      }
      queuedRows += rows;
      return new Promise((resolve, reject) => {
        queue.push({ inputs, rows, key: mode === 'joined' ? shapeKey(inputs) : '', resolve, reject });
        // Once per turn, after its I/O callbacks: all that came with them is in the queue by then.
        if (!isScheduled && running < concurrency) {
          isScheduled = true;
          setImmediate(flush);
        }
      });
    },
    async drain() {
      isClosed = true;
      if (running > 0 || queue.length > 0) await new Promise<void>((resolve) => idle.push(resolve));
    },
  };
}

async function runInParts(run: BatcherOptions['run'], inputs: Tensors, partRows: number): Promise<Tensors> {
  const rows = rowsOf(inputs);
  if (rows <= partRows) return run(inputs);
  const outputs: Tensors[] = [];
  for (let row = 0; row < rows; row += partRows)
    outputs.push(await run(takeRows(inputs, row, Math.min(row + partRows, rows))));
  return joinRows(outputs);
}

function failed(thrown: unknown): HeadraceError {
  const reason = messageOf(thrown);
  return new HeadraceError('HR_INFERENCE_FAILED', `the model's runtime failed: ${reason}`, { cause: thrown });
}
