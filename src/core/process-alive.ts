// Whether another process of this machine is still there, told by its id: leases and locks of dead ones are taken over.

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Where a process id means the same process: this machine, and of its containers this one. Host names are given twice, and the
 * numbers of containers are counted anew on each machine: what the kernel drew as it started tells machines apart.
 */
export function pidSpace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')} ${boot}`;
  } catch {
    // No Linux: one space a machine.
    return hostname();
  }
}

/** False once no process has the id; an id may have been given to another process since. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, under another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
