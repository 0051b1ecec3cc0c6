// The memory that a batch's rows are written into, kept from run to run and grown by powers of two; the same layout seen
// from the thread that binds and from the one that runs.

import type { Signature } from '../tensor.ts';
import type { BatchInput } from '../model-work.ts';
import type { Batch } from '../queue/queued-job.ts';
import { type RowShapes, widthOf } from '../row-shapes.ts';
import { arrayOf, isText, placedBytes } from '../tensor-arrays.ts';
import { OrtTensor } from './ort-library.ts';

/** Inputs of up to `capacity` rows in one piece of memory; texts lie apart. */
export interface BatchBuffers {
  readonly rowShapes: RowShapes;
  readonly capacity: number;
  readonly memory: ArrayBufferLike;
  readonly inputs: readonly BatchInput[];
}

/** Makes room for `rows`, or takes `memory` that was made for `capacity` rows by the other thread. */
export function createBuffers(
  signature: Signature,
  rowShapes: RowShapes,
  rows: number,
  memory: ArrayBufferLike | 'own' | 'shared',
): BatchBuffers {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(rows, 1)));
  let bytes = 0;
  const offsets = signature.inputs.map(({ type }, at) => {
    const offset = bytes;
    bytes += placedBytes(type, capacity * widthOf(rowShapes[at]));
    return offset;
  });
  const buffer =
    memory === 'own' ? new ArrayBuffer(bytes) : memory === 'shared' ? new SharedArrayBuffer(bytes) : memory;
  const inputs = signature.inputs.map(({ type }, at) => {
    const width = widthOf(rowShapes[at]);
    return { width, data: arrayOf(type, capacity * width, buffer, offsets[at]) };
  });
  return { rowShapes, capacity, memory: buffer, inputs };
}

/** What the runtime is fed with for `rows` rows; the tensors over numbers are kept, since they are views. */
export function createFeeds(
  signature: Signature,
  { inputs, rowShapes }: BatchBuffers,
): (rows: number, texts?: readonly (readonly string[] | null)[]) => OrtTensor[] {
  const kept = new Map<number, (OrtTensor | undefined)[]>();
  const make = (rows: number, at: number, data: BatchInput['data']): OrtTensor =>
    new OrtTensor(
      // The overloads pair each type with its array, as `arrayOf` does.
      signature.inputs[at]?.type as 'float32',
      data as Float32Array,
      signature.inputs[at]?.shape.length === 0 ? [] : [rows, ...(rowShapes[at] ?? [])],
    );
  return (rows, texts) => {
    let feeds = kept.get(rows);
    if (feeds === undefined) {
      feeds = inputs.map(({ data, width }, at) =>
        isText(data) ? undefined : make(rows, at, data.subarray(0, rows * width)),
      );
      if (kept.size >= MOST_KEPT) kept.clear();
      kept.set(rows, feeds);
    }
    return feeds.map((feed, at) => {
      if (feed !== undefined) return feed;
      const { data, width } = inputs[at] as BatchInput;
      return make(rows, at, texts?.[at] ?? (data as readonly string[]).slice(0, rows * width));
    });
  };
}

const MOST_KEPT = 256;

/** Every row of the batch into its place. */
export function bindBatch(batch: Batch, { inputs }: BatchBuffers): void {
  let place = 0;
  for (const { job, from, to } of batch.segments) {
    const { work } = job;
    if (work.bindRows === undefined) for (let row = from; row < to; row++) work.bind(row, inputs, place++);
    else {
      work.bindRows(from, to, inputs, place);
      place += to - from;
    }
  }
}

export function hasShapes({ rowShapes: own }: BatchBuffers, rowShapes: RowShapes): boolean {
  return own === rowShapes || own.every((sizes, at) => sizes.every((size, place) => size === rowShapes[at]?.[place]));
}
