// Control groups for the processes of each attempt, found again by whoever sweeps after the driver: they end what has no mark and no
// parent left, and the kernel holds them to limits of memory.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../core/index.ts';
import { findGroupsFolder, findHoldingFolder } from './groups-folder.ts';
import { hasKilled, makeGroup, processesIn, removeGroup } from './memory-group.ts';
import { MARK } from './marks.ts';
import type { MemoryLimit, Start } from './memory-limits.ts';
import { killProcess } from './process-tree.ts';

/** Names, in a driver's scratch folder, where its groups are: a folder a line. */
const NOTE = 'memory-groups';

/** A process enters before it is what was asked for, so that nothing of it is counted elsewhere. */
const ENTER_LIMIT = 'echo $$ > "$0/cgroup.procs" && ';
/** Better held by nothing than not run. */
const ENTER = '{ echo $$ > "$0/cgroup.procs"; } 2> /dev/null; ';
/** What it reads it has in its environment already: nothing is added to that. */
const AT_ITS_TURN = `IFS= read -r ${MARK} && exec "$@" < /dev/null`;

export interface MemoryGroups {
  /** A group with a limit that the kernel holds. Undefined where this machine lets us make none. */
  limit(limitBytes: number): MemoryLimit | undefined;
  /** A group without one. Undefined where this machine lets us make none. */
  hold(): MemoryLimit | undefined;
}

/** Which groups may be made is found out at the first of either kind: for a limit this process may have to move. */
export function openMemoryGroups(driver: string, scratch: string): MemoryGroups {
  const bases = new Set<string>();
  let made = 0;
  const noted = (base: string | undefined): string | undefined => {
    if (base === undefined || bases.has(base)) return base;
    bases.add(base);
    mkdirSync(scratch, { recursive: true });
    writeFileSync(join(scratch, NOTE), [...bases].join('\n'));
    return base;
  };
  const limiting = once(() => noted(findGroupsFolder()));
  const holding = once(() => noted(findHoldingFolder()));
  const open = (base: string, limitBytes: number | null): MemoryLimit => {
    made += 1;
    const group = join(base, `${groupPrefix(driver)}${made}`);
    if (limitBytes === null) mkdirSync(group);
    else makeGroup(group, limitBytes);
    const enter = limitBytes === null ? ENTER : ENTER_LIMIT;
    const shell = (then: string, command: string, args: readonly string[]): Start => ({
      command: '/bin/sh',
      args: ['-c', enter + then, group, command, ...args],
    });
    return {
      command: (command, args) => shell('exec "$@"', command, args),
      waiting: (command, args) => shell(AT_ITS_TURN, command, args),
      watch() {}, // the kernel does
      hasKilled: () => limitBytes !== null && hasKilled(group),
      endOthers(pid) {
        for (const other of processesIn(group)) if (other !== pid) killProcess(other);
      },
      close: async () => await removeGroup(group),
    };
  };
  return {
    limit(limitBytes) {
      const base = limiting();
      return base === undefined ? undefined : open(base, limitBytes);
    },
    hold() {
      const base = holding();
      return base === undefined ? undefined : open(base, null);
    },
  };
}

function once<R>(find: () => R): () => R {
  let found: { readonly value: R } | undefined;
  return () => (found ??= { value: find() }).value;
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
    const bases = readFileSync(join(scratch, NOTE), 'utf8').split('\n');
    return bases.flatMap((base) => groupsIn(base, groupPrefix(driver)));
  } catch {
    return []; // it made none
  }
}

function groupsIn(base: string, prefix: string): readonly string[] {
  try {
    const names = readdirSync(base).filter((name) => name.startsWith(prefix));
    return names.map((name) => join(base, name));
  } catch {
    return []; // they went with the group around them
  }
}

function groupPrefix(driver: string): string {
  return `headrace-${sha256Hex(driver).slice(0, 16)}-`;
}
