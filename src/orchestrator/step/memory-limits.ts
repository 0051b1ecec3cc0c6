// Holds the processes of an attempt to the memory that its step asks for: by the kernel where that can be asked, else by looking.

import { openMemoryGroups } from './memory-groups.ts';
import { openMemoryWatch } from './memory-watch.ts';

export interface MemoryLimits {
  /** A limit for the processes of one mark. It is closed whatever becomes of them. */
  open(mark: string, limitBytes: number): MemoryLimit;
}

export interface MemoryLimit {
  /** The command to start instead, so that it and all that it starts are held to the limit from the first instruction on. */
  command(command: string, args: readonly string[]): { readonly command: string; readonly args: readonly string[] };
  /** Calls `onExcess` once, with the bytes in use, where the process is to be ended. */
  watch(pid: number, onExcess: (usedBytes: number) => void): void;
  /** Whether the kernel has ended processes at the limit. */
  hasKilled(): boolean;
  /** Ends what is still held. */
  close(): Promise<void>;
}

/**
 * What is held is found again by whoever sweeps after `driver`, by what is noted in the folder `scratch`.
 * Which way it is done is found out at the first limit: most drivers have no step with one.
 */
export function openMemoryLimits(driver: string, scratch: string): MemoryLimits {
  const watch = openMemoryWatch();
  let groups: MemoryLimits | undefined;
  let isKnown = false;
  return {
    open(mark, limitBytes) {
      groups = isKnown ? groups : openMemoryGroups(driver, scratch);
      isKnown = true;
      try {
        return (groups ?? watch).open(mark, limitBytes);
      } catch {
        // There are as many groups as are allowed, or the folder went.
        return watch.open(mark, limitBytes);
      }
    },
  };
}
