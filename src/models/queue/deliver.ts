// A run's outputs to those whose rows ran: at once to a work that ran whole, gathered for one that took several runs.

import { toHeadraceError } from '../../core/index.ts';
import type { Tensor, TensorData } from '../tensor.ts';
import { arrayOf, elementBytes } from '../tensor-arrays.ts';
import type { Batch, QueuedJob, Segment } from './queued-job.ts';
import { RUNTIME_FAILED } from './refusals.ts';

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
    const mistake = gather(job, outputs, first, from, to);
    if (mistake !== undefined) {
      fail(job, mistake);
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

/** In bytes; more is no answer that could be sent. */
const MOST_GATHERED = 2 ** 30;

/** What keeps the rows from being gathered: undefined where they are. */
function gather(
  job: QueuedJob,
  outputs: readonly Tensor[],
  first: number,
  from: number,
  to: number,
): string | undefined {
  const { count } = job.work;
  if (job.gathered === undefined) {
    const bytes = outputs.reduce((sum, output) => sum + count * widthOf(output) * bytesOf(output), 0);
    const answer = `${RUNTIME_FAILED}: its answer to ${count} rows`;
    if (bytes > MOST_GATHERED)
      return `${answer} would take ${mib(bytes)} MiB, and one of several runs may take ${mib(MOST_GATHERED)} MiB. Send fewer rows`;
    try {
      job.gathered = outputs.map((output) => {
        const { type, shape } = output;
        return { type, shape: [count, ...shape.slice(1)], data: arrayOf(type, count * widthOf(output)) };
      });
    } catch {
      return `${answer} takes ${mib(bytes)} MiB, and there is no memory for it now. Send fewer rows`;
    }
  }
  for (let at = 0; at < outputs.length; at++) {
    const output = outputs[at] as Tensor;
    const { data: target } = job.gathered[at] as Tensor;
    const width = widthOf(output);
    if (width * count !== target.length) return 'the model gave rows of one size in one run and of another in the next';
    copy(output.data, first * width, (first + to - from) * width, target, from * width);
  }
  return undefined;
}

/** Elements of a row. */
function widthOf({ data, shape }: Tensor): number {
  return data.length / (shape[0] ?? 1);
}

/** Of an element; a text has a place that points to it. */
function bytesOf({ type }: Tensor): number {
  return elementBytes(type) || 8;
}

function mib(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

function copy(from: TensorData, start: number, end: number, to: TensorData, offset: number): void {
  if (Array.isArray(to)) for (let at = start; at < end; at++) to[offset + at - start] = from[at] as string;
  // Outputs of one name have one type in every run, so one kind of array.
  else (to as Float32Array).set((from as Float32Array).subarray(start, end), offset);
}
