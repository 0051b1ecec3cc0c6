// What real processes wait for in the place of timers, while a history is played: Node's own delays, replaced.

import { createRequire, syncBuiltinESMExports } from 'node:module';

const timers = createRequire(import.meta.url)('node:timers/promises') as {
  setTimeout: (ms?: number, value?: unknown) => Promise<unknown>;
};

/** Until it is called again, `setTimeout` of `node:timers/promises` waits by this. Gives what undoes it. */
export function delayBy(wait: (ms: number) => Promise<void>): () => void {
  const own = timers.setTimeout;
  const set = (to: typeof own): void => {
    timers.setTimeout = to;
    syncBuiltinESMExports();
  };
  set((ms = 0, value) => wait(ms).then(() => value));
  return () => set(own);
}
