// The logs that an event log holds in this process, and the work that is about to hold one: closing waits for both.

import { HeadraceError } from '../core/index.ts';
import type { LogWriter } from './event-log.ts';

export interface HeldLogs {
  /** Throws HR_STOPPING once it is closed. */
  checkOpen(): void;
  /** Runs what may come to hold a log. Throws HR_STOPPING once it is closed. */
  whileOpen<T>(work: () => Promise<T>): Promise<T>;
  add(writer: LogWriter): void;
  delete(writer: LogWriter): void;
  has(writer: number): boolean;
  /** Closes every log, that of work under way too. */
  close(): Promise<void>;
}

/** `place`: where the event log lies, for people. */
export function createHeldLogs(place: string): HeldLogs {
  const held = new Set<LogWriter>();
  const busy = new Set<Promise<unknown>>();
  let isClosed = false;
  const checkOpen = (): void => {
    if (isClosed) throw new HeadraceError('HR_STOPPING', `the event log at ${place} is closed here`);
  };
  return {
    checkOpen,
    async whileOpen(work) {
      checkOpen();
      const working = work();
      busy.add(working);
      try {
        return await working;
      } finally {
        busy.delete(working);
      }
    },
    add: (writer) => void held.add(writer),
    delete: (writer) => void held.delete(writer),
    has: (writer) => [...held].some((one) => one.writer === writer),
    async close() {
      isClosed = true;
      await Promise.allSettled(busy);
      await Promise.all([...held].map((writer) => writer.close()));
    },
  };
}
