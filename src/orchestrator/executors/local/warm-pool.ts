// Warm processes for TypeScript tasks, by bundle, environment and memory: one that is idle is taken before another is started.

import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../../../core/index.ts';
import { placeBundle } from '../../step/code.ts';
import { killMarked } from '../../step/marks.ts';
import type { TaskOutcome } from '../../step/outcome.ts';
import type { PreparedOrder } from '../../step/prepared-order.ts';
import type { Attempt } from '../../step/run-script.ts';
import type { StepHost } from '../../step/step-host.ts';
import { startWarmWorker, type WarmWorker } from '../../step/typescript/warm-worker.ts';

export interface WarmEvents {
  onEnd(at: Attempt, outcome: TaskOutcome): void;
  /** Tasks that did not run: their process died, or gave them back. */
  onReturned(attempts: readonly Attempt[]): void;
  /** The process has nothing to do, after so long where that is known, or is gone: there is room for another. */
  onFree(milliseconds?: number): void;
}

/** A process in hand, from `take` until `onFree`. */
export interface Lease {
  readonly attempts: readonly Attempt[];
  recall(): void;
  /** Ends the task at work, and the process with it. */
  stopTask(): void;
}

export interface WarmPool {
  /** Has tasks of an order run by one process. Throws HR_CODE_MISSING, HR_ARTIFACT_UNREADABLE. */
  take(prepared: PreparedOrder, attempts: readonly Attempt[], events: WarmEvents): Promise<Lease>;
  close(): Promise<void>;
}

/** A process keeps what its tasks leave in memory: it does not get too old. */
const MOST_TASKS = 10_000;
/** What a task left running when its process has been idle for so long is nobody's any more. */
const IDLE_SWEEP_MS = 1000;

interface Held {
  readonly key: string;
  readonly mark: string;
  readonly worker: WarmWorker;
  events: WarmEvents | undefined;
  isIsolated: boolean;
  sweep?: NodeJS.Timeout | undefined;
}

/** Keeps up to `mostIdle` processes that have nothing to do. */
export function openWarmPool(host: StepHost, mostIdle: number): WarmPool {
  const held = new Set<Held>();
  const keys = new WeakMap<PreparedOrder, string>();
  let started = 0;
  let isClosed = false;
  let onEmpty: (() => void) | undefined;

  const keyOf = (prepared: PreparedOrder): string => {
    const known = keys.get(prepared);
    if (known !== undefined) return known;
    const { order, variables, memoryBytes } = prepared;
    const bundle = order.action.kind === 'task' ? order.action.function.bundle : undefined;
    const key = sha256Hex(JSON.stringify([bundle, Object.entries(variables).sort(), memoryBytes]));
    keys.set(prepared, key);
    return key;
  };

  const freed = (one: Held, milliseconds: number): void => {
    const { events, worker } = one;
    one.events = undefined;
    if (one.isIsolated || worker.ended >= MOST_TASKS) worker.kill();
    const idle = [...held].filter(({ events }) => events === undefined);
    if (idle.length > mostIdle) idle[0]?.worker.kill();
    one.sweep = setTimeout(() => {
      void killMarked((mark) => mark === one.mark, { but: worker.pid });
      worker.endOthers();
    }, IDLE_SWEEP_MS);
    one.sweep.unref();
    events?.onFree(milliseconds);
  };

  const start = async (key: string, prepared: PreparedOrder, events: WarmEvents): Promise<Held> => {
    started += 1;
    const name = `worker-${started}`;
    const directory = join(host.scratch, name);
    await mkdir(directory, { recursive: true });
    if (prepared.order.action.kind !== 'task') throw new Error('only TypeScript runs in warm processes');
    const bundle = await placeBundle(host.cache, prepared.order.action, directory);
    const mark = `${host.driver}:${name}:0:0`;
    const worker = startWarmWorker(
      host,
      { like: prepared, mark, directory, bundle },
      {
        onEnd: (at, outcome) => owners.get(at)?.onEnd(at, outcome),
        onIdle: (milliseconds) => freed(one, milliseconds),
        onReturned: (attempts) => one.events?.onReturned(attempts),
        onGone(attempts) {
          held.delete(one);
          clearTimeout(one.sweep);
          rmSync(directory, { recursive: true, force: true });
          const { events } = one;
          one.events = undefined;
          if (attempts.length > 0) events?.onReturned(attempts);
          events?.onFree();
          if (held.size === 0) onEmpty?.();
        },
      },
    );
    const one: Held = { key, mark, worker, events, isIsolated: prepared.order.isolate === true };
    held.add(one);
    if (isClosed) worker.kill();
    return one;
  };
  // Ends are told after the process has gone on to others, so they are told to whoever gave the task.
  const owners = new WeakMap<Attempt, WarmEvents>();

  return {
    async take(prepared, attempts, events) {
      const key = keyOf(prepared);
      const isolate = prepared.order.isolate === true;
      const idle = [...held].find(
        (one) => !isolate && !one.isIsolated && one.events === undefined && one.key === key && one.worker.isAble,
      );
      if (idle !== undefined) {
        clearTimeout(idle.sweep);
        idle.events = events;
      }
      const one = idle ?? (await start(key, prepared, events));
      for (const attempt of attempts) owners.set(attempt, events);
      one.worker.give(prepared, attempts);
      return one.worker;
    },
    async close() {
      isClosed = true;
      if (held.size === 0) return;
      await new Promise<void>((resolve) => {
        onEmpty = resolve;
        for (const { worker } of held) worker.kill();
      });
    },
  };
}
