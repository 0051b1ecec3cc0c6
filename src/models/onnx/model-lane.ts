// One thread of a model and what it has been given: a batch that runs, and maybe the next one in its other buffer. A thread
// that ends or falls silent is replaced.

import { messageOf, within } from '../../core/index.ts';
import type { Signature, Tensor } from '../tensor.ts';
import type { Batch, Segment } from '../queue/queued-job.ts';
import type { RunCost } from '../queue/run-cost.ts';
import { type RowShapes, rowShapesOf } from '../row-shapes.ts';
import { isText } from '../tensor-arrays.ts';
import { isWhole } from '../tensor-work.ts';
import { type BatchBuffers, bindBatch, createBuffers, hasShapes } from './batch-buffers.ts';
import type { ModelThread } from './model-thread.ts';
import type { SlotMemory, ThreadOrder, ThreadReply } from './thread-messages.ts';

export interface ModelLane {
  /** In the order in which they run. */
  readonly batches: readonly Batch[];
  readonly isAlive: boolean;
  /**
   * When it will have done all, by the estimate; of a thread that is being replaced, when that may be ready: Infinity where nobody
   * knows, since others that hang have to return before one is started.
   */
  freeMs(nowMs: number): number;
  /** Writes the batch into a free buffer and hands it over. Not with two batches under way. */
  give(batch: Batch, nowMs: number): void;
  /** So much of the time that passed counts as silence; past the limit the thread is given up. */
  heed(passedMs: number): void;
  close(limitMs: number): Promise<void>;
}

export interface ModelLaneOptions {
  readonly signature: Signature;
  readonly cost: RunCost;
  /** Opened already; the lane's own from here on. Without one the lane opens its first itself. */
  readonly thread: ModelThread | undefined;
  /** Another with the same model. */
  readonly openAnother: () => Promise<ModelThread>;
  readonly silenceFloorMs: number;
  readonly ran: (batch: Batch, outputs: readonly Tensor[], tookMs: number) => void;
  readonly threw: (batch: Batch, reason: string) => void;
  /** `ran`: the batch that was running; `waiting`: one that had not begun. */
  readonly ended: (ran: Batch | undefined, waiting: Batch | undefined, reason: string) => void;
  readonly replaced: () => void;
}

/** A run that takes as many times its estimate is not coming back. */
const SILENT_ESTIMATES = 10;
const [FIRST_BACKOFF_MS, MOST_BACKOFF_MS] = [100, 30_000];
/** Threads that were given up and still run: with more, none is started before one of them has ended. */
const MOST_GIVEN_UP = 3;
/** A thread that served for so long was no mistake: its end is taken for an accident. */
const GOOD_LIFE_MS = 10_000;
/** A thread that was opened for a lane that has been closed meanwhile has nothing to do but to end. */
const STOP_LIMIT_MS = 1000;

export function createModelLane(options: ModelLaneOptions): ModelLane {
  const { signature, cost, openAnother, silenceFloorMs } = options;
  const ownShapes = rowShapesOf(signature);
  const hasTexts = signature.inputs.some(({ type }) => type === 'string');
  let thread: ModelThread | undefined;
  let batches: Batch[] = [];
  let slots: (BatchBuffers | undefined)[] = [];
  let nextSlot: 0 | 1 = 0;
  let startedMs = 0;
  let silentMs = 0;
  let aliveSinceMs = 0;
  let aliveAgainMs = 0;
  let deaths = 0;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let opening: Promise<void> = Promise.resolve();
  const givenUp = new Set<Promise<void>>();

  const serve = (next: ModelThread): void => {
    thread = next;
    slots = [];
    silentMs = 0;
    aliveSinceMs = performance.now();
    next.listen({ replied, ended });
  };
  const replied = (reply: ThreadReply): void => {
    const batch = batches.shift();
    if (batch === undefined) return;
    const nowMs = performance.now();
    const tookMs = nowMs - startedMs;
    startedMs = nowMs;
    silentMs = 0;
    if ('outputs' in reply) options.ran(batch, reply.outputs, tookMs);
    else options.threw(batch, 'failure' in reply ? reply.failure : 'its thread answered something else');
  };
  const ended = (reason: string): void => {
    if (thread === undefined) return;
    thread = undefined;
    const [ran, waiting] = batches;
    batches = [];
    if (!isClosed) replace();
    options.ended(ran, waiting, `the model’s thread ended while it ran: ${reason}`);
  };
  const replace = (): void => {
    const nowMs = performance.now();
    deaths = nowMs - aliveSinceMs > GOOD_LIFE_MS ? 1 : deaths + 1;
    const waitMs = deaths < 2 ? 0 : Math.min(MOST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (deaths - 2));
    aliveAgainMs = givenUp.size < MOST_GIVEN_UP ? nowMs + waitMs + cost.current().loadMicros / 1000 : Infinity;
    timer = setTimeout(begin, waitMs);
  };
  const begin = (): void => void (opening = openNext());
  const openNext = async (): Promise<void> => {
    if (givenUp.size >= MOST_GIVEN_UP) await Promise.race(givenUp);
    if (isClosed) return;
    aliveSinceMs = performance.now();
    aliveAgainMs = Math.min(aliveAgainMs, aliveSinceMs + cost.current().loadMicros / 1000);
    let next: ModelThread;
    try {
      next = await openAnother();
    } catch {
      // No memory for it now, say: later there may be.
      if (!isClosed) replace();
      return;
    }
    if (isClosed) return next.stop(STOP_LIMIT_MS);
    serve(next);
    options.replaced();
  };

  const buffersFor = (
    batch: Batch,
    rowShapes: RowShapes,
  ): { buffers: BatchBuffers; memory: SlotMemory | undefined } => {
    const kept = slots[nextSlot];
    if (kept !== undefined && kept.capacity >= batch.rows && hasShapes(kept, rowShapes))
      return { buffers: kept, memory: undefined };
    const buffers = createBuffers(signature, rowShapes, batch.rows, 'shared');
    slots[nextSlot] = buffers;
    const { memory, capacity } = buffers;
    return { buffers, memory: { memory: memory as SharedArrayBuffer, capacity, rowShapes } };
  };

  const write = (batch: Batch, rowShapes: RowShapes): Extract<ThreadOrder, { kind: 'run' }> => {
    const { buffers, memory } = buffersFor(batch, rowShapes);
    bindBatch(batch, buffers);
    const texts = hasTexts
      ? buffers.inputs.map(({ data, width }) => (isText(data) ? data.slice(0, batch.rows * width) : null))
      : undefined;
    return { kind: 'run', slot: nextSlot, rows: batch.rows, memory, texts };
  };

  if (options.thread !== undefined) serve(options.thread);
  else {
    aliveAgainMs = performance.now() + cost.current().loadMicros / 1000;
    begin();
  }
  return {
    get batches() {
      return batches;
    },
    get isAlive() {
      return thread !== undefined;
    },
    freeMs(nowMs) {
      if (thread === undefined) return Math.max(nowMs, aliveAgainMs);
      let atMs = nowMs;
      batches.forEach(({ rows }, place) => {
        const dueMs = cost.runMs(rows);
        // What is late already may take as long again.
        atMs += place === 0 ? Math.abs(startedMs + dueMs - nowMs) : dueMs;
      });
      return atMs;
    },
    give(batch, nowMs) {
      const { work } = (batch.segments[0] as Segment).job;
      let order: Extract<ThreadOrder, { kind: 'run' | 'whole' }>;
      try {
        order = isWhole(work) ? { kind: 'whole', tensors: work.tensors } : write(batch, work.rowShapes ?? ownShapes);
      } catch (thrown) {
        // No memory for so many such rows now, say. The thread knows nothing of what was made for them.
        slots[nextSlot] = undefined;
        return options.threw(batch, messageOf(thrown));
      }
      if (batches.length === 0) {
        startedMs = nowMs;
        silentMs = 0;
      }
      batches.push(batch);
      thread?.run(order);
      if (order.kind === 'run') nextSlot = nextSlot === 0 ? 1 : 0;
    },
    heed(passedMs) {
      const [first] = batches;
      if (first === undefined) return;
      silentMs += passedMs;
      const limitMs = Math.max(silenceFloorMs, SILENT_ESTIMATES * cost.runMs(first.rows));
      if (silentMs <= limitMs || thread === undefined) return;
      const gone = thread.exited.finally(() => givenUp.delete(gone));
      givenUp.add(gone);
      thread.abandon();
    },
    async close(limitMs) {
      isClosed = true;
      clearTimeout(timer);
      // Those that were given up too: a process that ends while one is inside the runtime does not end well.
      await Promise.all([thread?.stop(limitMs), within(Promise.all([opening, ...givenUp]), limitMs)]);
    },
  };
}
