// What one process has counted of one arm, endpoint or service since it was last taken. Counting allocates nothing and looks
// nothing up: its meters are handed out beforehand.

import { type Clock, type ErrorCode, floorTo, type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import { failureKind } from './failure-kind.ts';
import type { CellId, PackedCell } from './increment.ts';
import {
  addTally,
  clearTally,
  countAnswer,
  countFailure,
  createTally,
  isEmpty,
  packTally,
  type Tally,
} from './tally.ts';

/** One number that is counted up, and what of it was not taken yet. */
interface Counter {
  untaken: number;
  wasTaken: boolean;
}

export interface Cell {
  readonly id: CellId;
  answered(latencyMicros: number, rows: number): void;
  failed(code: ErrorCode, count: number): void;
  /** The arm's breaker has opened. */
  broke(): void;
  /** A row of a request that was answered. */
  rowFailed(code: ErrorCode): void;
  /** Counts a row's statuses, in the order of `features`. */
  statuses(features: readonly string[]): (statuses: readonly string[]) => void;
  /** What was counted since the last time, as plain data; undefined when that is nothing. */
  take(): PackedCell | undefined;
}

/** Taken each second; one that is taken later loses which second it was, and nothing else. */
const SLOTS = 3;

interface Slot extends Tally {
  secondMicros: Micros;
}

export function createCell(clock: Clock, id: CellId): Cell {
  const slots = Array.from({ length: SLOTS }, (): Slot => ({ ...createTally(), secondMicros: -Infinity }));
  let older: Tally | undefined;
  const errors = new Map<string, Counter>();
  const rowErrors = new Map<string, Counter>();
  const missing = new Map<string, Counter>();
  let breakerOpens = 0;
  let isNew = true;

  let current = slots[0] as Slot;
  const now = (): Slot => {
    const nowMicros = clock.nowMicros();
    const since = nowMicros - current.secondMicros;
    return since >= 0 && since < MICROS_PER_SECOND ? current : turnTo(floorTo(nowMicros, MICROS_PER_SECOND));
  };
  const turnTo = (secondMicros: Micros): Slot => {
    current = slots[(secondMicros / MICROS_PER_SECOND) % SLOTS] as Slot;
    if (current.secondMicros !== secondMicros) {
      if (!isEmpty(current)) addTally((older ??= createTally()), current);
      clearTally(current);
      current.secondMicros = secondMicros;
    }
    return current;
  };

  return {
    id,
    answered: (latencyMicros, rows) => countAnswer(now(), latencyMicros, rows),
    failed(code, count) {
      countFailure(now(), failureKind(code), count);
      counterOf(errors, code).untaken += count;
    },
    broke: () => void breakerOpens++,
    rowFailed(code) {
      counterOf(rowErrors, code).untaken++;
    },
    statuses(features) {
      const counters = features.map((feature) => counterOf(missing, feature));
      return (statuses) => {
        for (let i = 0; i < counters.length; i++) {
          const status = statuses[i];
          if (status !== 'PRESENT' && status !== 'NULL_VALUE') (counters[i] as Counter).untaken++;
        }
      };
    },
    take() {
      const tallies = older === undefined ? [] : [packTally(older, null)];
      older = undefined;
      for (const slot of slots) {
        if (isEmpty(slot)) continue;
        tallies.push(packTally(slot, slot.secondMicros));
        clearTally(slot);
      }
      const taken = {
        ...id,
        tallies,
        errors: takeCounters(errors),
        rowErrors: takeCounters(rowErrors),
        missing: takeCounters(missing),
        breakerOpens,
      };
      breakerOpens = 0;
      const counts = [tallies, taken.errors, taken.rowErrors, taken.missing];
      const isNothing = counts.every(({ length }) => length === 0) && taken.breakerOpens === 0;
      if (isNothing && !isNew) return undefined;
      isNew = false;
      return taken;
    },
  };
}

function counterOf(counters: Map<string, Counter>, name: string): Counter {
  let counter = counters.get(name);
  if (counter === undefined) counters.set(name, (counter = { untaken: 0, wasTaken: false }));
  return counter;
}

// A counter that nothing was added to is told of once, so that it is known to be zero.
function takeCounters(counters: ReadonlyMap<string, Counter>): (readonly [string, number])[] {
  const taken: (readonly [string, number])[] = [];
  for (const [name, counter] of counters) {
    if (counter.untaken === 0 && counter.wasTaken) continue;
    taken.push([name, counter.untaken]);
    counter.untaken = 0;
    counter.wasTaken = true;
  }
  return taken;
}
