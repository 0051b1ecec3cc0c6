// Micro-batching: rows that arrive in one turn of the event loop, or while a batch runs, go to the model as one batch.
// Nothing waits while the model is idle, and each caller gets back exactly its own rows.

import { HeadraceError } from '../core/index.ts';
import type { Signature, Tensor, TensorData } from './model-runtime.ts';

type Tensors = Readonly<Record<string, Tensor>>;

interface Waiting {
  readonly inputs: Tensors;
  readonly rows: number;
  resolve(outputs: Tensors): void;
  reject(reason: unknown): void;
}

export interface BatcherOptions {
  /** A batch takes callers until it has this many rows. */
  readonly maxBatchRows: number;
  /** Rows that may wait; past it a caller is refused at once. */
  readonly maxQueuedRows: number;
  /** How many batches may run at once. */
  readonly parallel: number;
}

export interface MicroBatcher {
  /** Throws HR_OVERLOADED when too much waits. */
  infer(inputs: Tensors): Promise<Tensors>;
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>;
}

/** `run` takes tensors whose first dimension is the batch, and gives such. */
export function createMicroBatcher(
  signature: Signature,
  run: (inputs: Tensors) => Promise<Tensors>,
  { maxBatchRows, maxQueuedRows, parallel }: BatcherOptions,
): MicroBatcher {
  const canMerge = isBatchable(signature);
  let queue: Waiting[] = [];
  let queuedRows = 0;
  let running = 0;
  let isScheduled = false;
  let whenIdle: (() => void)[] = [];

  const schedule = (): void => {
    if (isScheduled || running >= parallel || queue.length === 0) return;
    isScheduled = true;
    setImmediate(flush);
  };

  const flush = (): void => {
    isScheduled = false;
    const batch = takeBatch();
    if (batch.length === 0) return;
    running++;
    void runBatch(batch).finally(() => {
      running--;
      schedule();
      if (running === 0 && queue.length === 0) {
        for (const resolve of whenIdle) resolve();
        whenIdle = [];
      }
    });
    schedule();
  };

  const takeBatch = (): Waiting[] => {
    const [first] = queue;
    if (first === undefined) return [];
    let taken = 1;
    let rows = first.rows;
    if (canMerge) {
      while (taken < queue.length) {
        const next = queue[taken] as Waiting;
        if (rows + next.rows > maxBatchRows || !fitsWith(first.inputs, next.inputs)) break;
        rows += next.rows;
        taken++;
      }
    }
    const batch = queue.slice(0, taken);
    queue = queue.slice(taken);
    queuedRows -= rows;
    return batch;
  };

  const runBatch = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      if (batch.length === 1) {
        const [only] = batch as [Waiting];
        only.resolve(await run(only.inputs));
        return;
      }
      const outputs = await run(concatenate(batch.map(({ inputs }) => inputs)));
      let from = 0;
      for (const { rows, resolve } of batch) {
        resolve(rowsOf(outputs, from, from + rows));
        from += rows;
      }
    } catch (thrown) {
      for (const { reject } of batch) reject(thrown);
    }
  };

  return {
    infer(inputs) {
      const rows = rowCount(inputs);
      if (queue.length > 0 && queuedRows + rows > maxQueuedRows) {
        throw new HeadraceError('HR_OVERLOADED', `the model has ${queuedRows} rows waiting, its limit is ${maxQueuedRows}. Retry in a moment.`);
      }
      return new Promise((resolve, reject) => {
        queue.push({ inputs, rows, resolve, reject });
        queuedRows += rows;
        schedule();
      });
    },
    idle() {
      if (running === 0 && queue.length === 0) return Promise.resolve();
      return new Promise((resolve) => whenIdle.push(resolve));
    },
  };
}

/** Whether every input and output has the batch, and only it, as an open first dimension. */
function isBatchable({ inputs, outputs }: Signature): boolean {
  return inputs.length > 0 && [...inputs, ...outputs].every(({ shape }) => shape.length > 0 && shape[0] === null);
}

function rowCount(inputs: Tensors): number {
  for (const name in inputs) return (inputs[name] as Tensor).shape[0] ?? 1;
  return 1;
}

function fitsWith(a: Tensors, b: Tensors): boolean {
  for (const name in a) {
    const left = (a[name] as Tensor).shape;
    const right = (b[name] as Tensor).shape;
    if (left.length !== right.length) return false;
    for (let at = 1; at < left.length; at++) if (left[at] !== right[at]) return false;
  }
  return true;
}

type TypedData = Exclude<TensorData, readonly string[]>;

function concatenate(all: readonly Tensors[]): Tensors {
  const [first] = all as [Tensors];
  const joined: Record<string, Tensor> = {};
  for (const name in first) {
    const parts = all.map((inputs) => inputs[name] as Tensor);
    const { type, shape } = first[name] as Tensor;
    const rows = parts.reduce((sum, part) => sum + (part.shape[0] as number), 0);
    joined[name] = { type, shape: [rows, ...shape.slice(1)], data: joinData(parts.map(({ data }) => data)) };
  }
  return joined;
}

function joinData(parts: readonly TensorData[]): TensorData {
  const [first] = parts;
  if (Array.isArray(first)) return (parts as readonly string[][]).flat();
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  // All parts are of the input's one type, so of one typed array class.
  const joined = new ((first as TypedData).constructor as new (size: number) => Float32Array)(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part as Float32Array, at);
    at += part.length;
  }
  return joined;
}

function rowsOf(outputs: Tensors, from: number, to: number): Tensors {
  const own: Record<string, Tensor> = {};
  for (const name in outputs) {
    const { type, shape, data } = outputs[name] as Tensor;
    const width = data.length / (shape[0] as number);
    const slice = Array.isArray(data) ? data.slice(from * width, to * width) : (data as Float32Array).subarray(from * width, to * width);
    own[name] = { type, shape: [to - from, ...shape.slice(1)], data: slice };
  }
  return own;
}
