// Ends a process with everything it started, also what moved to a session of its own.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Kills the process, its group and all its descendants, for good. What is gone already is no error. */
export function killTree(pid: number): void {
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore' });
    return;
  }
  // Stopped first, so that nothing new starts between the look and the kill; the caller itself must go on.
  if (pid !== process.pid) signal(-pid, 'SIGSTOP');
  const family = descendants(pid);
  for (const member of family) killProcess(member);
  killGroup(pid);
}

/** Kills what is left of a group whose leader may be gone. Windows has no groups: there it does nothing. */
export function killGroup(pid: number): void {
  if (process.platform !== 'win32') signal(-pid, 'SIGKILL');
}

/** Kills one process. What is gone already is no error. */
export function killProcess(pid: number): void {
  signal(pid, 'SIGKILL');
}

/** All processes below one, at this moment. */
export function descendants(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const [pid, parent] of parents()) children.set(parent, [...(children.get(parent) ?? []), pid]);
  const found: number[] = [];
  for (let next = [root]; next.length > 0; ) {
    next = next.flatMap((pid) => children.get(pid) ?? []);
    found.push(...next);
  }
  return found;
}

function parents(): [pid: number, parent: number][] {
  return existsSync('/proc/self/stat') ? parentsFromProc() : parentsFromPs();
}

function parentsFromProc(): [number, number][] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        // The name in parentheses may hold anything, parentheses too: the parent is the second field after the last.
        const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
        return [[Number(name), Number(parent)] as [number, number]];
      } catch {
        return []; // ended meanwhile
      }
    });
}

function parentsFromPs(): [number, number][] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return (stdout ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]); // two columns were asked for
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // gone
  }
}
