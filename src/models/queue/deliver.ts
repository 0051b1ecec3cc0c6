// A run's outputs to those whose rows ran: at once to a work that ran whole, gathered for one that took several runs.

import { toHeadraceError } from '../../core/index.ts';
import type { Tensor, TensorData } from '../tensor.ts';
import { arrayOf } from '../tensor-arrays.ts';
import type { Batch, QueuedJob, Segment } from './queued-job.ts';

/** A job has failed, and is told so. */
type Fail = (job: QueuedJob, reason: string) => void;

/** Tells every work of the batch that is complete with it; gives the rows of those. Nothing that a work does stops it. */
export function deliver(batch: Batch, outputs: readonly Tensor[], endMs: number, fail: Fail): number {
  let first = 0;
  let rows = 0;
  for (const segment of batch.segments) {
    rows += deliverSegment(segment, outputs, first, endMs, fail);
    first += segment.to - segment.from;
  }
  return rows;
}

function deliverSegment(
  { job, from, to }: Segment,
  outputs: readonly Tensor[],
  first: number,
  endMs: number,
  fail: Fail,
): number {
  if (job.isTold) return 0;
  const { count } = job.work;
  if (to - from === count) tellDone(job, outputs, first, endMs);
  else {
    if (!gather(job, outputs, first, from, to)) {
      fail(job, 'the model gave rows of one size in one run and of another in the next');
      return 0;
    }
    job.answeredRows += to - from;
    if (job.answeredRows < count) return 0;
    tellDone(job, job.gathered as Tensor[], 0, endMs);
  }
  return count;
}

function tellDone(job: QueuedJob, outputs: readonly Tensor[], first: number, endMs: number): void {
  job.isTold = true;
  job.gathered = undefined;
  try {
    job.work.done(outputs, first, endMs);
  } catch (thrown) {
    // Others of the batch still have to be told, and this one too.
    job.work.failed(toHeadraceError(thrown));
  }
}

/** False where the rows are of another size than those of the runs before. */
function gather(job: QueuedJob, outputs: readonly Tensor[], first: number, from: number, to: number): boolean {
  const { count } = job.work;
  job.gathered ??= outputs.map(({ type, shape, data }) => {
    const width = data.length / (shape[0] ?? 1);
    return { type, shape: [count, ...shape.slice(1)], data: arrayOf(type, count * width) };
  });
  for (let at = 0; at < outputs.length; at++) {
    const { data, shape } = outputs[at] as Tensor;
    const { data: target } = job.gathered[at] as Tensor;
    const width = data.length / (shape[0] ?? 1);
    if (width * count !== target.length) return false;
    copy(data, first * width, (first + to - from) * width, target, from * width);
  }
  return true;
}

function copy(from: TensorData, start: number, end: number, to: TensorData, offset: number): void {
  if (Array.isArray(to)) for (let at = start; at < end; at++) to[offset + at - start] = from[at] as string;
  // Outputs of one name have one type in every run, so one kind of array.
  else (to as Float32Array).set((from as Float32Array).subarray(start, end), offset);
}
