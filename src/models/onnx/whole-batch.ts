// A batch that is one caller's tensors and nothing else, run from where they lie: what is large is not copied into the model's
// own memory.

import type { Batch, Segment } from '../queue/queued-job.ts';
import type { Tensor } from '../tensor.ts';
import { isText } from '../tensor-arrays.ts';
import { hasTensors } from '../tensor-work.ts';

/** What is smaller is copied sooner than described anew to the runtime. */
const LEAST_BYTES = 64 * 1024;

/** The tensors to run as they are, in the signature's order, by the thread that has them; undefined for rows that are to be bound. */
export function wholeTensors({ segments }: Batch): readonly Tensor[] | undefined {
  const { job, from, to } = segments[0] as Segment;
  const { work } = job;
  if (!hasTensors(work)) return undefined;
  if (work.isWhole) return work.tensors;
  if (segments.length > 1 || from > 0 || to < work.count || job.rowBytes * work.count < LEAST_BYTES) return undefined;
  return work.tensors.some(({ data }) => isText(data)) ? undefined : work.tensors;
}
