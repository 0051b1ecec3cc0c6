// Who drives a run: a process, named so that another with the same process ids can tell at once that it died. Elsewhere, in another
// container too, its lease tells: it is renewed while the process lives, and runs out after it.

import { randomBytes } from 'node:crypto';
import { isProcessAlive, type Micros, MICROS_PER_SECOND, pidSpace } from '../core/index.ts';

/** A name for this process as the driver of one run. */
export function newOwner(): string {
  return `${ownSpace()}/${process.pid}/${randomBytes(4).toString('hex')}`;
}

/** How long each renewal makes a lease last. */
export const LEASE_MICROS: Micros = 15 * MICROS_PER_SECOND;

/** Whether the holder of a lease may still be at work, if the clock was not set back since. */
export function isLeaseLive(owner: string | null, until: Micros, now: Micros): boolean {
  return owner !== null && until > now && !hasDiedHere(owner);
}

/**
 * Whether a lease ends later than any that is given now would: it was given before the clock was set back, and its holder may have died
 * long ago. One that lives renews it by the clock of now.
 */
export function isFromSetBackClock(until: Micros, now: Micros): boolean {
  return until > now + 2 * LEASE_MICROS;
}

/** Whether its process ids are this one's: it is, or was, on this host, and in the same container. */
export function isOfThisHost(owner: string): boolean {
  return owner.split('/')[0] === ownSpace();
}

/** Of this host, and no process has its id any more. */
export function hasDiedHere(owner: string): boolean {
  return isOfThisHost(owner) && !isProcessAlive(Number(owner.split('/')[1]));
}

/** The name of the host that it is on, for people. */
export function hostOf(owner: string): string {
  // What comes after it tells containers and starts of a machine apart.
  return (owner.split('/')[0] ?? owner).replace(/\.pid\.\d+\.[\da-f]+$/, '');
}

/** Of what a name of a process' mark may hold. */
function ownSpace(): string {
  return pidSpace().replace(/[^\w.-]+/g, '.');
}
