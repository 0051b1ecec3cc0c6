// A slow model in threads of its own: a batch is chosen when a thread is free for it, so that the most urgent go first and
// batches are as large as they can be.

import { createModelCore, type ModelCore, type ModelCoreOptions } from '../queue/model-core.ts';
import { createModelLane, type ModelLane } from './model-lane.ts';
import type { ModelThread } from './model-thread.ts';

export interface ThreadedModelOptions extends Omit<ModelCoreOptions, 'lanes' | 'freeMs' | 'wake'> {
  /** Each has the model open. */
  readonly threads: readonly ModelThread[];
  readonly openAnother: () => Promise<ModelThread>;
  /** A thread is never given up for less silence than this. */
  readonly silenceFloorMs: number;
}

export interface ThreadedModel extends ModelCore {
  /** Ends the threads. */
  stop(limitMs: number): Promise<void>;
}

/** What runs a model's work, chosen by its core. */
export interface ThreadRunner {
  wake(): void;
  /** When the next thread will be free, by the estimate. */
  freeMs(nowMs: number): number;
  /** Ends the threads. */
  stop(limitMs: number): Promise<void>;
}

export interface ThreadRunnerOptions
  extends Pick<ThreadedModelOptions, 'signature' | 'cost' | 'openAnother' | 'silenceFloorMs'> {
  readonly core: ModelCore;
  /** One that is undefined has yet to be opened: what comes meanwhile waits. */
  readonly threads: readonly (ModelThread | undefined)[];
}

/** How often silence and deadlines are looked at while something waits or runs. */
const WATCH_MS = 50;
// Callers whose rows ran together come back together: the next run waits a little for them, or half of them would always
// miss it and run alone.
const [LINGER_SHARE, MOST_LINGER_MS] = [0.1, 3];

export function createThreadedModel(options: ThreadedModelOptions): ThreadedModel {
  const core = createModelCore({
    ...options,
    lanes: options.threads.length,
    freeMs: (nowMs) => runner.freeMs(nowMs),
    wake: () => runner.wake(),
  });
  const runner = createThreadRunner({ ...options, core });
  return { ...core, stop: runner.stop };
}

export function createThreadRunner(options: ThreadRunnerOptions): ThreadRunner {
  const { signature, cost, core, threads, openAnother, silenceFloorMs } = options;
  let isScheduled = false;
  let watch: NodeJS.Timeout | undefined;
  let watchedMs = 0;
  let lingerUntilMs = 0;
  let lingerRows = 0;
  let lingering: NodeJS.Timeout | undefined;

  const lanes: ModelLane[] = threads.map((thread) =>
    createModelLane({
      signature,
      cost,
      thread,
      openAnother,
      silenceFloorMs,
      ran(batch, outputs, tookMs) {
        core.succeeded(batch, outputs, tookMs);
        lingerRows = Math.min(cost.batchRows(), batch.rows + core.queue.rows);
        lingerUntilMs = performance.now() + Math.min(MOST_LINGER_MS, cost.runMs(0) * LINGER_SHARE);
        schedule();
      },
      threw(batch, reason) {
        core.threw(batch, reason);
        schedule();
      },
      ended(ran, waiting, reason) {
        core.threadReplaced();
        if (waiting !== undefined) core.putBack(waiting);
        if (ran !== undefined) core.crashed(ran, reason);
        schedule();
      },
      replaced: () => schedule(),
    }),
  );

  // The lane that a batch would run on first, if it is to be chosen now.
  const laneFor = (nowMs: number): ModelLane | undefined => {
    const alive = lanes.filter(({ isAlive, batches }) => isAlive && batches.length < 2);
    const idle = alive.find(({ batches }) => batches.length === 0);
    // Ahead of time only what would be full anyway: a batch that waits can no longer be joined, or overtaken.
    if (idle !== undefined || core.queue.rows < cost.batchRows()) return idle;
    return alive.toSorted((a, b) => a.freeMs(nowMs) - b.freeMs(nowMs))[0];
  };

  const waitsForMore = (nowMs: number): boolean => {
    const { rows, firstDeadlineMs = Infinity } = core.queue;
    if (nowMs >= lingerUntilMs || rows >= lingerRows) return false;
    return lingerUntilMs + cost.runMs(lingerRows) < firstDeadlineMs;
  };

  const pump = (): void => {
    isScheduled = false;
    clearTimeout(lingering);
    lingering = undefined;
    for (;;) {
      if (core.queue.rows === 0) break;
      const nowMs = performance.now();
      const lane = laneFor(nowMs);
      if (lane === undefined) break;
      if (lane.batches.length === 0 && waitsForMore(nowMs)) {
        lingering = setTimeout(pump, Math.ceil(lingerUntilMs - nowMs));
        break;
      }
      const batch = core.take(lane.freeMs(nowMs), nowMs);
      if (batch === undefined) break;
      lane.give(batch, nowMs);
    }
    watchOver();
  };
  // Once per turn, after its I/O callbacks: all that came with them goes into one batch.
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(pump);
  };

  const watchOver = (): void => {
    const isBusy = core.queue.rows > 0 || lanes.some(({ batches }) => batches.length > 0);
    if (!isBusy) {
      clearInterval(watch);
      watch = undefined;
    } else if (watch === undefined) {
      watchedMs = performance.now();
      watch = setInterval(look, WATCH_MS);
    }
  };
  const look = (): void => {
    const nowMs = performance.now();
    // A process that was held up itself has heard nothing either: that is no silence of the thread's.
    const passedMs = Math.min(nowMs - watchedMs, 2 * WATCH_MS);
    watchedMs = nowMs;
    core.sweep(nowMs);
    for (const lane of lanes) {
      for (const batch of lane.batches) core.expire(batch, nowMs);
      lane.heed(passedMs);
    }
    watchOver();
  };

  return {
    wake: schedule,
    freeMs: (nowMs) => Math.min(...lanes.map((lane) => lane.freeMs(nowMs))),
    async stop(limitMs) {
      clearInterval(watch);
      clearTimeout(lingering);
      await Promise.all(lanes.map((lane) => lane.close(limitMs)));
    },
  };
}
