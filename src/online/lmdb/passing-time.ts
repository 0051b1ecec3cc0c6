// How much time has really passed for a store: what a claim's retention is counted in. Wall clocks say nothing of that: a
// process's may be days ahead, or set anew. The system's monotonic clock does, and all processes of a machine share it
// until the machine starts again; then the count goes on from where it was left, and what passed since is not counted.

import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import type { Micros } from '../../core/index.ts';
import { bootId } from './boot-id.ts';
import type { Db } from './checkpoints.ts';

/** A clock that only goes on, as fast as time does. */
export interface SteadyClock {
  /** Two clocks of one id tell the same time; of two of different ids nothing is known. */
  readonly id: string;
  nowMicros(): Micros;
}

export interface PassingTime {
  /** What has passed for the store at least; it never goes back. */
  now(): Micros;
  /** Within a transaction: the same, kept, so that what is set by it now can't end too early by another's count. */
  moveOn(): Micros;
}

/** At `at` of the clock `id`, so much had passed. */
interface Kept {
  readonly id: string;
  readonly at: Micros;
  readonly passed: Micros;
}

/** After a restart of the machine so much is lost, at most, beside what passed without a write. */
const KEEP_EVERY_MICROS = 10_000_000;

export function createPassingTime(db: Db, key: Buffer, clock: SteadyClock): PassingTime {
  const read = (): Kept | undefined => {
    const value = db.getBinary(key);
    // What `moveOn` wrote.
    return value === undefined ? undefined : (JSON.parse(Buffer.from(value).toString()) as Kept);
  };
  const passedBy = (kept: Kept | undefined, at: Micros): Micros => {
    if (kept === undefined) return 0;
    return kept.id === clock.id ? kept.passed + Math.max(0, at - kept.at) : kept.passed;
  };

  return {
    now: () => passedBy(read(), clock.nowMicros()),
    moveOn() {
      const kept = read();
      const at = clock.nowMicros();
      const passed = passedBy(kept, at);
      // By another's clock more may have passed than is known here: from now on it is counted by this one.
      if (kept?.id !== clock.id || passed - kept.passed >= KEEP_EVERY_MICROS)
        db.putSync(key, Buffer.from(JSON.stringify({ id: clock.id, at, passed } satisfies Kept)));
      return passed;
    },
  };
}

/** Where the system doesn't tell when it started, each process has a clock of its own. */
export function machineClock(): SteadyClock {
  const boot = bootId();
  return {
    id: boot === undefined ? randomUUID() : `${boot} ${timeNamespace()}`,
    nowMicros: () => Number(process.hrtime.bigint() / 1000n),
  };
}

// Containers of one machine may each count from another start.
function timeNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/time');
  } catch {
    return '';
  }
}
