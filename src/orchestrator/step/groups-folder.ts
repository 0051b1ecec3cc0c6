// Where this process may make control groups: in its own one, or in the one around it where it has moved to a group of its own. Only
// version 2, and where a process can really be put into one; with a limit of memory where that controller is at hand.

import { spawnSync } from 'node:child_process';
import { accessSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { makeGroup, removeGroup } from './memory-group.ts';
import { descendants } from './process-tree.ts';

/** The group that Headrace's own processes are in, where those of steps lie beside it: of systemd, `DelegateSubgroup=headrace`. */
const OWN = 'headrace';
const PROBE = 'headrace-probe-';

/** For groups that hold processes together and limit nothing. Undefined where there is none. It moves nothing. */
export function findHoldingFolder(): string | undefined {
  return around().find(isHolding);
}

/** For groups with a limit of memory. Undefined where there is none. It may move this process, and its parent's others, into a group within the present one. */
export function findGroupsFolder(): string | undefined {
  return around().find(isUsable);
}

/** The folders to try, the better one first. */
function around(): readonly string[] {
  const own = ownGroup();
  if (own === undefined) return [];
  return basename(own) === OWN ? [dirname(own), own] : [own];
}

/** The folder of this process's group of version 2. */
function ownGroup(): string | undefined {
  try {
    return groupIn(readFileSync('/proc/self/cgroup', 'utf8'), readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    return undefined; // no Linux
  }
}

/** From what the kernel says of a process: its groups, and what is mounted where. */
export function groupIn(cgroup: string, mountInfo: string): string | undefined {
  const path = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  if (path === undefined) return undefined;
  for (const line of mountInfo.split('\n')) {
    const [mount = '', type = ''] = line.split(' - ');
    if (!type.startsWith('cgroup2 ')) continue;
    const [, , , root = '/', folder = ''] = mount.split(' ').map(unescaped);
    const below = relative(root, path);
    if (!below.startsWith('..')) return join(folder, below);
  }
  return undefined;
}

/** Blanks and the like stand as octal numbers there. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function isUsable(folder: string): boolean {
  return canHold(folder, (probe) => {
    accessSync(join(folder, 'cgroup.procs'));
    if (!wordsOf(join(folder, 'cgroup.controllers')).includes('memory')) throw new Error('no memory controller');
    if (!wordsOf(join(folder, 'cgroup.subtree_control')).includes('memory')) handOn(folder);
    makeGroup(probe, 2 ** 30);
  });
}

function isHolding(folder: string): boolean {
  return canHold(folder, mkdirSync);
}

/** Whether a group can be made there, and a process be put into it. `make` throws where it can't. */
function canHold(folder: string, make: (group: string) => void): boolean {
  const probe = join(folder, `${PROBE}${process.pid}`);
  try {
    make(probe);
    return canEnter(probe);
  } catch {
    return false;
  } finally {
    void removeGroup(probe);
  }
}

/** Whether a process may be put there depends on the groups around it, too. */
function canEnter(group: string): boolean {
  const entered = spawnSync('/bin/sh', ['-c', 'echo $$ > "$0/cgroup.procs"', group], { stdio: 'ignore' });
  return entered.status === 0 && existsSync(join(group, 'cgroup.kill'));
}

/** A group that hands controllers on holds no processes itself, so those in it go into one within; others' stay where they are. */
function handOn(folder: string): void {
  for (let triesLeft = 10; ; triesLeft -= 1) {
    try {
      writeFileSync(join(folder, 'cgroup.subtree_control'), '+memory');
      return;
    } catch (error) {
      if (!isCode(error, 'EBUSY') || triesLeft === 0) throw error;
    }
    const family = new Set([process.ppid, ...descendants(process.ppid)]);
    const pids = wordsOf(join(folder, 'cgroup.procs')).map(Number);
    if (pids.some((pid) => !family.has(pid))) throw new Error(`${folder} holds processes of others`);
    mkdirSync(join(folder, OWN), { recursive: true });
    for (const pid of pids) move(pid, join(folder, OWN));
  }
}

function move(pid: number, group: string): void {
  try {
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
  } catch (error) {
    if (!isCode(error, 'ESRCH')) throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function wordsOf(file: string): readonly string[] {
  return readFileSync(file, 'utf8')
    .split(/\s+/)
    .filter((word) => word !== '');
}
