// Who drives a run: a process, named so that another with the same process ids can tell at once that it died. Elsewhere, in another
// container too, its lease tells: it is renewed while the process lives, and runs out after it.

import { randomBytes } from 'node:crypto';
import { isProcessAlive, type Micros, pidSpace } from '../core/index.ts';

/** A name for this process as the driver of one run. */
export function newOwner(): string {
  return `${ownSpace()}/${process.pid}/${randomBytes(4).toString('hex')}`;
}

/** Whether the holder of a lease may still be at work. */
export function isLeaseLive(owner: string | null, until: Micros, now: Micros): boolean {
  if (owner === null) return false;
  const [space, pid] = owner.split('/');
  return until > now && !(space === ownSpace() && !isProcessAlive(Number(pid)));
}

/** Of what a name of a process' mark may hold. */
function ownSpace(): string {
  return pidSpace().replace(/[^\w.-]+/g, '.');
}
