// Limits of memory that the kernel holds: a control group for the processes of each, found again by whoever sweeps after the driver.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../core/index.ts';
import { findGroupsFolder } from './groups-folder.ts';
import { hasKilled, makeGroup, removeGroup } from './memory-group.ts';
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
  let base: string;
  let names: readonly string[];
  try {
    base = readFileSync(join(scratch, NOTE), 'utf8');
    names = readdirSync(base);
  } catch {
    return; // it made none, or they went with the group around them
  }
  const own = names.filter((name) => name.startsWith(groupPrefix(driver)));
  await Promise.all(own.map(async (name) => await removeGroup(join(base, name))));
}

function groupPrefix(driver: string): string {
  return `headrace-${sha256Hex(driver).slice(0, 16)}-`;
}
