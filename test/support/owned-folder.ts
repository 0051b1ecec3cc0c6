// A folder for temporary files that names its process, so that one left by a process that was killed can be found and removed.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isProcessAlive } from '../../src/core/process-alive.ts';

/** Makes `parent/NAME-PID-…` for this process, after it has removed those of processes that are gone. */
export function makeOwnedFolder(parent: string, name: string): string {
  removeLeftFolders(parent, name);
  return mkdtempSync(join(parent, `${name}-${process.pid}-`));
}

/** Removes the folders of that name whose processes are gone. */
export function removeLeftFolders(parent: string, name: string): void {
  for (const entry of readdirSync(parent)) {
    const pid = entry.startsWith(`${name}-`) ? /^(\d+)-\w{6}$/.exec(entry.slice(name.length + 1))?.[1] : undefined;
    if (pid === undefined || isProcessAlive(Number(pid))) continue;
    try {
      removeFolder(join(parent, entry));
    } catch {
      // It is another user's, or this one may not unmount what is in it.
    }
  }
}

/** Removes a folder of tests that have ended; what a test mounted in it and could not unmount is unmounted first. */
export function removeFolder(folder: string): void {
  // Only then: what is mounted may lie elsewhere as well, and its files are not the folder's.
  for (const mount of mountsIn(folder))
    if (spawnSync('umount', ['-l', mount]).status !== 0) throw new Error(`${mount} could not be unmounted`);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** The last mounted, which may be in another, first; none where there is no /proc. */
function mountsIn(folder: string): string[] {
  try {
    const inside = `${realpathSync(folder)}/`;
    const paths = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      // Blanks and the like are written as \040.
      .map((line) =>
        (line.split(' ')[1] ?? '').replaceAll(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
      );
    return paths.filter((path) => path.startsWith(inside)).reverse();
  } catch {
    return [];
  }
}
