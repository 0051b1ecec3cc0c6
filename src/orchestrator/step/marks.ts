// Every process that an attempt starts carries its mark in the environment, and hands it on to those that it starts: by it
// they are found however they were started, also what moved to a session of its own and has no parent left.

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { descendants, killProcess } from './process-tree.ts';

export const MARK = 'HEADRACE_ATTEMPT';

/** The mark of one attempt. A driver's own processes, such as its launcher, have the driver's id and a name in it. */
export function attemptMark(driver: string, slice: string, index: number, attempt: number): string {
  return `${driver}:${slice}:${index}:${attempt}`;
}

/** Whose mark it is. */
export function driverOfMark(mark: string): string {
  return mark.slice(0, Math.max(0, mark.indexOf(':')));
}

/** The processes that bear a mark, by it; this one left out. Empty where there is no /proc. */
export function processesByMark(): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const name of processIds()) {
    const pid = Number(name);
    const mark = pid === process.pid ? undefined : markOf(name);
    if (mark === undefined) continue;
    const those = found.get(mark);
    if (those === undefined) found.set(mark, [pid]);
    else those.push(pid);
  }
  return found;
}

/** The processes whose mark is one of those meant. */
export function markedProcesses(isMeant: (mark: string) => boolean): readonly number[] {
  return [...processesByMark()].flatMap(([mark, pids]) => (isMeant(mark) ? pids : []));
}

/**
 * Kills the processes whose mark is meant, and all below `roots`, until two looks in a row find none: what was forked during one
 * is found by the next. The process `but` is left to live.
 */
export async function killMarked(
  isMeant: (mark: string) => boolean,
  { roots = [], but }: { readonly roots?: readonly number[]; readonly but?: number | undefined } = {},
): Promise<void> {
  for (let clean = 0, waitMs = 1; clean < 2; ) {
    const family = roots.flatMap((root) => [...descendants(root)]);
    const found = new Set([...markedProcesses(isMeant), ...family]);
    found.delete(process.pid);
    if (but !== undefined) found.delete(but);
    for (const pid of found) killProcess(pid);
    clean = found.size === 0 ? clean + 1 : 0;
    // What sleeps in the kernel goes only once that lets it.
    waitMs = found.size === 0 ? 1 : Math.min(100, waitMs * 2);
    await delay(waitMs);
  }
}

function processIds(): readonly string[] {
  try {
    return readdirSync('/proc').filter((name) => name.charCodeAt(0) >= 48 && name.charCodeAt(0) <= 57);
  } catch {
    return [];
  }
}

const NAME = Buffer.from(`${MARK}=`);

function markOf(pid: string): string | undefined {
  let environment: Buffer;
  try {
    environment = readFileSync(`/proc/${pid}/environ`);
  } catch {
    return undefined; // ended meanwhile, or another user's
  }
  for (let at = environment.indexOf(NAME); at !== -1; at = environment.indexOf(NAME, at + 1)) {
    if (at > 0 && environment[at - 1] !== 0) continue; // the end of another variable's value or name
    const end = environment.indexOf(0, at);
    return environment.toString('utf8', at + NAME.length, end === -1 ? environment.length : end);
  }
  return undefined;
}
