// Limits of memory that the kernel holds: a control group for the processes of each, found again by whoever sweeps after the driver.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../core/index.ts';
import { findGroupsFolder } from './groups-folder.ts';
import { hasKilled, makeGroup, processesIn, removeGroup } from './memory-group.ts';
import type { MemoryLimits } from './memory-limits.ts';

/** Names, in a driver's scratch folder, where its groups are. */
const NOTE = 'memory-groups';

/** A process enters before it is what was asked for, so that nothing of it is counted elsewhere. */
const ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"';

/** Undefined where this machine lets us make none. */
export function openMemoryGroups(driver: string, scratch: string): MemoryLimits | undefined {
  const base = findGroupsFolder();
  if (base === undefined) return undefined;
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, NOTE), base);
  let made = 0;
  return {
    open(_mark, limitBytes) {
      made += 1;
      const group = join(base, `${groupPrefix(driver)}${made}`);
      makeGroup(group, limitBytes);
      return {
        command: (command, args) => ({ command: '/bin/sh', args: ['-c', ENTER, group, command, ...args] }),
        watch() {}, // the kernel does
        hasKilled: () => hasKilled(group),
        close: async () => await removeGroup(group),
      };
    },
  };
}

/** Ends everything in the groups that a driver has left, and removes them. */
export async function sweepMemoryGroups(driver: string, scratch: string): Promise<void> {
  await Promise.all(groupsLeft(driver, scratch).map(removeGroup));
}

/** What is in the groups that a driver has left. */
export function groupedProcesses(driver: string, scratch: string): readonly number[] {
  return groupsLeft(driver, scratch).flatMap(processesIn);
}

function groupsLeft(driver: string, scratch: string): readonly string[] {
  try {
    const base = readFileSync(join(scratch, NOTE), 'utf8');
    const own = readdirSync(base).filter((name) => name.startsWith(groupPrefix(driver)));
    return own.map((name) => join(base, name));
  } catch {
    return []; // it made none, or they went with the group around them
  }
}

function groupPrefix(driver: string): string {
  return `headrace-${sha256Hex(driver).slice(0, 16)}-`;
}
