// Holds the processes of an attempt together, so that all of them end with it, and to the memory that its step asks for: by the kernel
// where that can be asked, else by looking.

import { openMemoryGroups } from './memory-groups.ts';
import { openMemoryWatch } from './memory-watch.ts';

export interface MemoryLimits {
  /** For the processes of one mark; null: without a limit. It is closed whatever becomes of them. */
  open(mark: string, limitBytes: number | null): MemoryLimit;
}

export interface Start {
  readonly command: string;
  readonly args: readonly string[];
}

export interface MemoryLimit {
  /** The command to start instead, so that it and all that it starts are held to the limit from the first instruction on. */
  command(command: string, args: readonly string[]): Start;
  /**
   * The same to start ahead, where to be held takes a while: it then waits for a line on its stdin, which is its mark, and ends where that
   * is closed without one. The command itself gets an empty stdin.
   */
  waiting?(command: string, args: readonly string[]): Start;
  /** Calls `onExcess` once, with the bytes in use, where the process is to be ended. */
  watch(pid: number, onExcess: (usedBytes: number) => void): void;
  /** Whether the kernel has ended processes at the limit. */
  hasKilled(): boolean;
  /** Ends what is held together with this process. What is only watched is found by its mark. */
  endOthers(pid: number): void;
  /** Ends what is still held. */
  close(): Promise<void>;
}

/** What is held is found again by whoever sweeps after `driver`, by what is noted in the folder `scratch`. */
export function openMemoryLimits(driver: string, scratch: string): MemoryLimits {
  const watch = openMemoryWatch();
  const groups = openMemoryGroups(driver, scratch);
  /** Undefined also where there are as many groups as are allowed, or the folder went. */
  const grouped = (make: () => MemoryLimit | undefined): MemoryLimit | undefined => {
    try {
      return make();
    } catch {
      return undefined;
    }
  };
  return {
    open(mark, limitBytes) {
      const limited = limitBytes === null ? undefined : grouped(() => groups.limit(limitBytes));
      if (limited !== undefined) return limited;
      const watched = limitBytes === null ? UNLIMITED : watch.open(mark, limitBytes);
      const held = grouped(() => groups.hold());
      if (held === undefined) return watched;
      return {
        ...held,
        watch: watched.watch,
        close: async () => void (await Promise.all([held.close(), watched.close()])),
      };
    },
  };
}

const UNLIMITED: MemoryLimit = {
  command: (command, args) => ({ command, args }),
  watch() {},
  hasKilled: () => false,
  endOthers() {},
  close: async () => {},
};
