// How much time has really passed for a store: what a claim's retention is counted in. Wall clocks say nothing of that: a
// process's may be days ahead, or set anew. The system's monotonic clock does, and all processes of a machine share it
// until the machine starts again; then the count goes on from where it was left, and what passed since is not counted.

import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import type { Micros } from '../../core/index.ts';
import { bootId } from './boot-id.ts';
import type { Db } from './open-lmdb.ts';

/** A clock that only goes on, as fast as time does. */
export interface SteadyClock {
  /** Two clocks of one id tell the same time; of two of different ids nothing is known. */
  readonly id: string;
  nowMicros(): Micros;
}

export interface PassingTime {
  /** What has passed for the store at least. */
  now(): Micros;
  /** Within a transaction: the same, kept. */
  moveOn(): Micros;
  /**
   * Within a transaction: the same, for an end that is set by it. Every other clock counts anew from here on: one of which
   * nothing was heard for long may have counted much more, and the end would come too early by it.
   */
  anchor(): Micros;
}

/** So much has passed for the store, and what of that each of the clocks has seen, the last one to write first. */
interface Kept {
  readonly passed: Micros;
  readonly clocks: readonly Seen[];
}

/** At `at` of the clock `id`, so much had passed: from there on it counts by itself, whatever others do meanwhile. */
interface Seen {
  readonly id: string;
  readonly at: Micros;
  readonly passed: Micros;
}

/** After a restart of the machine so much is lost, at most, beside what passed without a write. */
const KEEP_EVERY_MICROS = 10_000_000;
/** Clocks that are kept: each start of the machine, and each container with a count of its own, brings another. */
const MOST_CLOCKS = 8;

const NOTHING: Kept = { passed: 0, clocks: [] };

export function createPassingTime(db: Db, key: Buffer, clock: SteadyClock): PassingTime {
  const read = (): Kept | undefined => {
    const value = db.getBinary(key);
    // What `write` below wrote.
    return value === undefined ? undefined : (JSON.parse(Buffer.from(value).toString()) as Kept);
  };
  const isOwn = ({ id }: Seen): boolean => id === clock.id;
  /** By the own clock alone; undefined while the store does not know it. */
  const countedBy = (kept: Kept, at: Micros): Micros | undefined => {
    const own = kept.clocks.find(isOwn);
    return own && own.passed + Math.max(0, at - own.at);
  };
  const write = (kept: Kept): void => {
    db.putSync(key, Buffer.from(JSON.stringify(kept)));
  };

  const count = () => {
    const kept = read() ?? NOTHING;
    const at = clock.nowMicros();
    const counted = countedBy(kept, at);
    return { kept, at, counted, passed: Math.max(kept.passed, counted ?? 0) };
  };

  return {
    now: () => count().passed,
    moveOn() {
      const { kept, at, counted, passed } = count();
      // By another's clock more may have passed than by this one: from now on this one counts on from there.
      const isBehind = counted === undefined || counted < passed;
      if (isBehind || passed - kept.passed >= KEEP_EVERY_MICROS) {
        const others = kept.clocks.filter((seen) => !isOwn(seen));
        write({ passed, clocks: [{ id: clock.id, at, passed }, ...others].slice(0, MOST_CLOCKS) });
      }
      return passed;
    },
    anchor() {
      const { at, passed } = count();
      write({ passed, clocks: [{ id: clock.id, at, passed }] });
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
