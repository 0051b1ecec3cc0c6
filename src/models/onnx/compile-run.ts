// A session's way to run batches in the thread that binds them, in memory that is kept from one to the next.

import type { Batch, Segment } from '../queue/queued-job.ts';
import { type RowShapes, rowShapesOf } from '../row-shapes.ts';
import type { Tensor } from '../tensor.ts';
import { type BatchBuffers, bindBatch, createBuffers, createFeeds, hasShapes } from './batch-buffers.ts';
import { type OrtSession, toOrt } from './ort-session.ts';
import { wholeTensors } from './whole-batch.ts';

/** A run blocks the thread; it throws what the model does. Outputs are in the signature's order. */
export function compileRun(session: OrtSession): (batch: Batch) => Tensor[] {
  const { signature } = session;
  const own = rowShapesOf(signature);
  let buffers: BatchBuffers | undefined;
  let feeds: ReturnType<typeof createFeeds>;
  return (batch) => {
    const tensors = wholeTensors(batch);
    if (tensors !== undefined) return session.run(tensors.map(toOrt));
    const { work } = (batch.segments[0] as Segment).job;
    const rowShapes: RowShapes = work.rowShapes ?? own;
    if (buffers === undefined || buffers.capacity < batch.rows || !hasShapes(buffers, rowShapes)) {
      buffers = createBuffers(signature, rowShapes, batch.rows, 'own');
      feeds = createFeeds(signature, buffers);
    }
    bindBatch(batch, buffers);
    return session.run(feeds(batch.rows));
  };
}
