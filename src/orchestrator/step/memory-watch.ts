// Holds processes to the memory that their step asked for, by looking at what they and all that they started hold.

import { readFileSync } from 'node:fs';
import { descendants } from './process-tree.ts';
import { processesByMark } from './marks.ts';
import type { MemoryLimit } from './memory-limits.ts';

interface Watched {
  readonly pid: number;
  readonly mark: string;
  readonly limitBytes: number;
  readonly onExcess: (usedBytes: number) => void;
}

const EVERY_MS = 100;

export function openMemoryWatch(): { open(mark: string, limitBytes: number): MemoryLimit } {
  const watched = new Set<Watched>();
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const byMark = processesByMark();
    for (const one of watched) {
      const pids = new Set([one.pid, ...descendants(one.pid), ...(byMark.get(one.mark) ?? [])]);
      if (sum(pids, residentBytes) <= one.limitBytes) continue;
      // Pages that a fork shares count in each of its processes: only where there seems to be too much are they told apart.
      const used = sum(pids, proportionalBytes);
      if (used <= one.limitBytes) continue;
      watched.delete(one);
      one.onExcess(used);
    }
  };
  return {
    open(mark, limitBytes) {
      let one: Watched | undefined;
      return {
        command: (command, args) => ({ command, args }),
        watch(pid, onExcess) {
          one = { pid, mark, limitBytes, onExcess };
          watched.add(one);
          timer ??= setInterval(look, EVERY_MS);
        },
        hasKilled: () => false,
        endOthers() {},
        async close() {
          if (one !== undefined) watched.delete(one);
          if (watched.size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      };
    },
  };
}

function sum(pids: Iterable<number>, bytesOf: (pid: number) => number): number {
  let total = 0;
  for (const pid of pids) total += bytesOf(pid);
  return total;
}

function residentBytes(pid: number): number {
  return kibOf(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB$/m) * 1024;
}

function proportionalBytes(pid: number): number {
  return kibOf(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB$/m) * 1024;
}

function kibOf(file: string, line: RegExp): number {
  try {
    return Number(line.exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // ended meanwhile
  }
}
