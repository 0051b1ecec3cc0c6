// Which start of the machine this is: what a process wrote without waiting for the disk is there until the next one.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Undefined where the system doesn't tell. */
export function bootId(): string | undefined {
  try {
    if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    if (process.platform === 'darwin') {
      return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'latin1' }).trim();
    }
  } catch {
    return undefined;
  }
  return undefined;
}
