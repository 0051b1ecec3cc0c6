// A quick model on the event loop: what came in one turn runs as one batch, at the turn's end, from memory that is kept. One
// whose runs turn out to be slow, which may depend on what it is given, goes on in a thread.

import { messageOf } from '../../core/index.ts';
import type { LoadedModel } from '../model-runtime.ts';
import type { Tensor } from '../tensor.ts';
import { createModelCore, type ModelCore } from '../queue/model-core.ts';
import { compileRun } from './compile-run.ts';
import type { OrtSession } from './ort-session.ts';
import { createSlowRuns } from './slow-runs.ts';
import { createThreadRunner, type ThreadedModelOptions, type ThreadRunner } from './threaded-model.ts';

export interface InlineModelOptions extends Omit<ThreadedModelOptions, 'threads'> {
  /** How long a run may take now and then, and how long never, before the model leaves the event loop. */
  readonly longMs: number;
  readonly tooLongMs: number;
  /** Whether runs compute in the thread that calls them, and nowhere else. */
  readonly isAlone: boolean;
}

export interface InlineModel extends ModelCore {
  readonly placement: LoadedModel['placement'];
  /** Closes the session, wherever it is. */
  stop(limitMs: number): Promise<void>;
}

/** How long batches may follow each other before others get their turn of the event loop. */
const TURN_MS = 3;
/** After a move a thread is given up when it is silent for so many of the longest runs that were seen before it. */
const [SILENT_RUNS, MOST_SILENCE_MS] = [10, 60_000];

export function createInlineModel(session: OrtSession, options: InlineModelOptions): InlineModel {
  const { cost, longMs, tooLongMs, isAlone } = options;
  let run: ReturnType<typeof compileRun> | undefined = compileRun(session);
  let threads: ThreadRunner | undefined;
  let isScheduled = false;
  let longestMs = 0;
  const { fixedMicros, rowMicros } = cost.current();
  const slowRuns = createSlowRuns({
    expectedMs: (rows) => (fixedMicros + rowMicros * rows) / 1000,
    longMs,
    tooLongMs,
  });

  const move = (): void => {
    run = undefined;
    session.release();
    // What it was seen to take is not yet a thread that hangs, however little it was measured to take.
    const silenceFloorMs = Math.max(options.silenceFloorMs, Math.min(MOST_SILENCE_MS, SILENT_RUNS * longestMs));
    threads = createThreadRunner({ ...options, silenceFloorMs, core, threads: [undefined] });
    threads.wake();
  };

  const turn = (): void => {
    isScheduled = false;
    if (run === undefined) return;
    const beganMs = performance.now();
    let startMs = beganMs;
    do {
      const batch = core.take(startMs);
      if (batch === undefined) return;
      const before = isAlone ? process.threadCpuUsage() : undefined;
      let outputs: Tensor[] | string;
      try {
        outputs = run(batch);
      } catch (thrown) {
        outputs = messageOf(thrown);
      }
      const endMs = performance.now();
      const tookMs = endMs - startMs;
      // A machine that is busy with others makes runs long as well: that a thread would not mend.
      const ownMs = before !== undefined && tookMs > longMs ? Math.min(tookMs, passedMs(before)) : tookMs;
      if (typeof outputs === 'string') core.threw(batch, outputs);
      else core.succeeded(batch, outputs, tookMs);
      longestMs = Math.max(longestMs, tookMs);
      if (slowRuns.observe(batch.rows, ownMs, endMs)) return move();
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
  const core = createModelCore({
    ...options,
    lanes: 1,
    freeMs: (nowMs) => threads?.freeMs(nowMs) ?? nowMs,
    wake: () => (threads === undefined ? schedule() : threads.wake()),
  });
  return {
    ...core,
    get placement() {
      return threads === undefined ? ('inline' as const) : ('threads' as const);
    },
    async stop(limitMs) {
      if (threads !== undefined) return threads.stop(limitMs);
      run = undefined;
      session.release();
    },
  };
}

// What this thread has computed since then, its waiting for a core left out.
function passedMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
