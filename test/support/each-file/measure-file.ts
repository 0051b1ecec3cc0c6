// What a test file costs: CPU of its process and of the programs that it started, by the system's own accounts.

import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** Milliseconds of CPU, and how many programs of each name were started without waiting for their end. */
export interface FileCosts {
  readonly cpuMs: number;
  readonly childrenCpuMs: number;
  readonly started: Readonly<Record<string, number>>;
}

/** Linux counts CPU in hundredths of a second. */
const MS_A_TICK = 10;

export function measureFile(): { end(): FileCosts } {
  const cpu = process.cpuUsage();
  const children = childrenCpuMs();
  const programs: ChildProcess[] = [];
  // By Node's documentation of the channel. What is started has its name a moment later.
  const count = (message: unknown): void => void programs.push((message as { process: ChildProcess }).process);
  subscribe('child_process', count);
  return {
    end() {
      unsubscribe('child_process', count);
      const started: Record<string, number> = {};
      for (const { spawnfile } of programs) {
        const name = basename(spawnfile);
        started[name] = (started[name] ?? 0) + 1;
      }
      const { user, system } = process.cpuUsage(cpu);
      return { cpuMs: (user + system) / 1000, childrenCpuMs: childrenCpuMs() - children, started };
    },
  };
}

/** CPU of all programs that this process started and that have ended; 0 where there is no /proc. */
function childrenCpuMs(): number {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    // Fields 16 and 17 of the line, cutime and cstime; the cut took two.
    return (Number(fields[13]) + Number(fields[14])) * MS_A_TICK;
  } catch {
    return 0;
  }
}
