// A folder for temporary files that names its process, so that one left by a process that was killed can be found and removed.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
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
      rmSync(join(parent, entry), { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    } catch {
      // It is another user's.
    }
  }
}
