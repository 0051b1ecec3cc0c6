// The threads in which models are opened and measured: few at once, kept a while for the next, given to models that stay.

import { fewAtOnce } from '../../core/index.ts';
import { type ModelThread, startThread } from './model-thread.ts';

export interface OpeningThreads {
  /** Runs `use` with a thread of its own, when one is free. `use` says whether the thread is free for another model. */
  withThread<T>(use: (thread: ModelThread) => Promise<{ readonly result: T; readonly isFree: boolean }>): Promise<T>;
}

const IDLE_MS = 1000;

export function createOpeningThreads(most: number, start: () => ModelThread = startThread): OpeningThreads {
  const idle: { thread: ModelThread; timer: NodeJS.Timeout }[] = [];
  const inTurn = fewAtOnce(most);

  const takeThread = (): ModelThread => {
    const kept = idle.pop();
    if (kept === undefined) return start();
    clearTimeout(kept.timer);
    kept.thread.hold(true);
    return kept.thread;
  };
  const keep = (thread: ModelThread): void => {
    thread.hold(false);
    const entry = {
      thread,
      timer: setTimeout(() => {
        idle.splice(idle.indexOf(entry), 1);
        void thread.stop(IDLE_MS);
      }, IDLE_MS).unref(),
    };
    idle.push(entry);
  };

  return {
    withThread: (use) =>
      inTurn(async () => {
        const thread = takeThread();
        try {
          const { result, isFree } = await use(thread);
          if (isFree) keep(thread);
          return result;
        } catch (thrown) {
          thread.abandon();
          throw thrown;
        }
      }),
  };
}
