// A control group of Linux (v2) that holds processes to a limit of memory: the kernel ends what goes past it, all of it at once
// and before anything else suffers, also what has left its session and its environment behind.

import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What sleeps in the kernel is waited for so long; a later sweep finds it again. */
const GIVE_UP_MS = 5_000;

export function makeGroup(group: string, limitBytes: number): void {
  mkdirSync(group);
  // One task: part of it would be of no use, and might wait for the rest for ever.
  writeFileSync(join(group, 'memory.oom.group'), '1');
  try {
    writeFileSync(join(group, 'memory.swap.max'), '0');
  } catch {
    // there is no swap, or it is not counted
  }
  writeFileSync(join(group, 'memory.max'), String(limitBytes));
}

/** Whether it ended processes at this limit: where the whole machine is out of memory, it is not the step that took too much. */
export function hasKilled(group: string): boolean {
  try {
    const counts = new Map(
      readFileSync(join(group, 'memory.events'), 'utf8')
        .split('\n')
        .map((line) => line.split(' '))
        .map(([name = '', count]) => [name, Number(count)]),
    );
    return (counts.get('oom') ?? 0) > 0 && (counts.get('oom_kill') ?? 0) > 0;
  } catch {
    return false;
  }
}

/** What is in it, but not what is in groups that were made below it. */
export function processesIn(group: string): readonly number[] {
  try {
    return readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return []; // gone
  }
}

/** Kills what is in it, and removes it with what it has made below itself. */
export async function removeGroup(group: string): Promise<void> {
  const deadline = Date.now() + GIVE_UP_MS;
  for (let waitMs = 1; ; waitMs = Math.min(100, waitMs * 2)) {
    try {
      writeFileSync(join(group, 'cgroup.kill'), '1');
      removeFolders(group);
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOENT' || Date.now() > deadline) return;
    }
    await delay(waitMs);
  }
}

/** Its files are the kernel's: only folders are removed, the innermost first. */
function removeFolders(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeFolders(join(group, entry.name));
  }
  rmdirSync(group);
}
