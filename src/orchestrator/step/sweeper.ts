// Ends what attempts left running once they have succeeded: one look over all processes for many attempts.

import { killMarked, markedProcesses } from './marks.ts';

export interface Sweeper {
  /** Whatever still carries this mark is to go; resolves when it has. */
  add(mark: string): Promise<void>;
  close(): Promise<void>;
}

const EVERY_MS = 250;

export function openSweeper(): Sweeper {
  let waiting = new Set<string>();
  let sweeping: Promise<void> = Promise.resolve();
  let upcoming = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  const sweep = async (): Promise<void> => {
    const marks = waiting;
    waiting = new Set();
    if (markedProcesses((mark) => marks.has(mark)).length > 0) await killMarked((mark) => marks.has(mark));
  };
  const next = (): void => {
    timer = undefined;
    sweeping = sweeping.then(sweep);
    upcoming.resolve(sweeping);
    upcoming = Promise.withResolvers<void>();
  };
  return {
    add(mark) {
      waiting.add(mark);
      timer ??= setTimeout(next, EVERY_MS);
      return upcoming.promise;
    },
    async close() {
      clearTimeout(timer);
      next();
      await sweeping;
    },
  };
}
