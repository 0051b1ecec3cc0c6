// Who drives a run: a process, named so that another on the same machine can tell at once that it died.
// Elsewhere its lease tells: it is renewed while the process lives, and runs out after it.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { isProcessAlive, MICROS_PER_SECOND, type Micros } from '../core/index.ts';

export const LEASE_MICROS: Micros = 60 * MICROS_PER_SECOND;
export const HEARTBEAT_MS = 2000;

/** A name for this process as the driver of one run. */
export function newOwner(): string {
  return `${hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`;
}

/** Whether the holder of a lease may still be at work. */
export function isLeaseLive(owner: string | null, until: Micros, now: Micros): boolean {
  if (owner === null) return false;
  const [host, pid] = owner.split('/');
  return until > now && !(host === hostname() && !isProcessAlive(Number(pid)));
}
