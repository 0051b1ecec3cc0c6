// Requests that wait for something, each until its deadline: one timer looks over all of them, so that none needs its own.

import { deadlinePassed, type Scope } from '../core/index.ts';
import type { ArmTiming } from './arm-timing.ts';

export interface Deadlines {
  /** What `work` gives; HR_DEADLINE once the scope's deadline passes before. What `work` then gives is dropped. */
  race<T>(work: Promise<T>, scope: Scope, stage: Stage): Promise<T>;
  close(): void;
}

/** What is done for so many rows just now: a sentence's end, such as "features were read". */
export interface Stage {
  now: string;
  readonly rows: number;
  /** Where the time goes, for a request that asks for it. */
  readonly timing?: ArmTiming | undefined;
  /** The model has to run, whatever is kept of its answers. */
  readonly isProbe?: true;
}

interface Waiting {
  readonly deadlineMs: number;
  readonly stage: Stage;
  readonly reject: (thrown: Error) => void;
}

/** An answer is at most so much late. */
const LOOK_EVERY_MS = 5;

export function createDeadlines(): Deadlines {
  const waiting = new Set<Waiting>();
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    const now = performance.now();
    for (const one of waiting) {
      if (one.deadlineMs > now) continue;
      waiting.delete(one);
      one.reject(deadlinePassed(one.stage.now, one.stage.rows));
    }
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return {
    race: (work, scope, stage) =>
      new Promise((resolve, reject) => {
        const one: Waiting = { deadlineMs: scope.deadlineMs, stage, reject };
        waiting.add(one);
        timer ??= setInterval(look, LOOK_EVERY_MS);
        work.then(
          (value) => {
            waiting.delete(one);
            resolve(value);
          },
          (thrown: unknown) => {
            waiting.delete(one);
            reject(thrown as Error);
          },
        );
      }),
    close() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}
