// A quick model on the event loop: what came in one turn runs as one batch, at the turn's end, from memory that is kept.

import { messageOf } from '../../core/index.ts';
import type { Tensor } from '../model-runtime.ts';
import { createModelCore, type ModelCore, type ModelCoreOptions } from '../queue/model-core.ts';
import type { Batch, Segment } from '../queue/queued-job.ts';
import { type RowShapes, rowShapesOf } from '../row-shapes.ts';
import { isWhole } from '../tensor-work.ts';
import { type BatchBuffers, createBuffers, createFeeds } from './batch-buffers.ts';
import { type OrtSession, toOrt } from './ort-session.ts';

/** How long batches may follow each other before others get their turn of the event loop. */
const TURN_MS = 3;

export function createInlineModel(
  session: OrtSession,
  options: Omit<ModelCoreOptions, 'lanes' | 'freeMs' | 'wake'>,
): ModelCore {
  const { signature } = options;
  const run = compileRun(session);
  let isScheduled = false;

  const turn = (): void => {
    isScheduled = false;
    const beganMs = performance.now();
    let startMs = beganMs;
    do {
      const batch = core.take(startMs);
      if (batch === undefined) return;
      let outputs: Tensor[] | string;
      try {
        outputs = run(batch);
      } catch (thrown) {
        outputs = messageOf(thrown);
      }
      const endMs = performance.now();
      if (typeof outputs === 'string') core.threw(batch, outputs);
      else core.succeeded(batch, outputs, endMs - startMs);
      startMs = performance.now();
    } while (core.queue.rows > 0 && startMs - beganMs < TURN_MS);
    if (core.queue.rows > 0) schedule();
  };
  // Once per turn, after its I/O callbacks: all that came with them is in the queue by then.
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(turn);
  };
  const core = createModelCore({ ...options, signature, lanes: 1, freeMs: (nowMs) => nowMs, wake: schedule });
  return core;
}

function compileRun(session: OrtSession): (batch: Batch) => Tensor[] {
  const { signature } = session;
  const own = rowShapesOf(signature);
  let buffers: BatchBuffers | undefined;
  let feeds: ReturnType<typeof createFeeds>;
  return (batch) => {
    const { work } = (batch.segments[0] as Segment).job;
    if (isWhole(work)) return session.run(work.tensors.map(toOrt));
    const rowShapes: RowShapes = work.rowShapes ?? own;
    if (buffers === undefined || buffers.capacity < batch.rows || !hasShapes(buffers, rowShapes)) {
      buffers = createBuffers(signature, rowShapes, batch.rows, 'own');
      feeds = createFeeds(signature, buffers);
    }
    bindBatch(batch, buffers);
    return session.run(feeds(batch.rows));
  };
}

/** Every row of the batch into its place. */
export function bindBatch(batch: Batch, { inputs }: BatchBuffers): void {
  let place = 0;
  for (const { job, from, to } of batch.segments)
    for (let row = from; row < to; row++) job.work.bind(row, inputs, place++);
}

export function hasShapes({ rowShapes: own }: BatchBuffers, rowShapes: RowShapes): boolean {
  return own === rowShapes || own.every((sizes, at) => sizes.every((size, place) => size === rowShapes[at]?.[place]));
}
