// The totals of all processes, kept by the one that does not die with a worker: each report is counted once, and nothing that
// was counted is ever taken back.

import type { Clock, Micros } from '../../core/index.ts';
import { type Figures, figuresOf } from './figures.ts';
import type { Increment, Readings, Report } from './increment.ts';
import { addIncrement, createSums, packSums } from './sums.ts';

export interface Totals {
  /** Counts a worker's report; false when it was counted before. `worker` is its own, never met before. */
  count(worker: string, report: Report): boolean;
  /** From now on it is no worker any more. What it had counted stays, and what of it comes late is counted. */
  leave(worker: string): void;
  /** Counts a worker that was started in place of another. */
  restarted(): void;
  /** All of it as plain data, for `worker`. */
  tell(worker: string): ToldTotals;
  /** All of it, for whoever lives in the owner's own process. */
  figures(): Figures;
}

/** The totals as they travel to a worker. */
export interface ToldTotals {
  /** The last report of the worker that is part of them. */
  readonly counted: number;
  readonly startMicros: Micros;
  readonly restarts: number;
  readonly increment: Increment;
  /** Of each process that serves. */
  readonly readings: readonly (readonly [worker: string, readings: Readings])[];
}

export function createTotals(clock: Clock): Totals {
  const startMicros = clock.nowMicros();
  const sums = createSums();
  const counted = new Map<string, number>();
  const readings = new Map<string, Readings>();
  const left = new Set<string>();
  let restarts = 0;
  return {
    count(worker, report) {
      if (report.sequence <= (counted.get(worker) ?? 0)) return false;
      counted.set(worker, report.sequence);
      addIncrement(sums, report.increment, clock.nowMicros());
      if (!left.has(worker)) readings.set(worker, report.readings);
      return true;
    },
    leave(worker) {
      left.add(worker);
      readings.delete(worker);
    },
    restarted() {
      restarts++;
    },
    tell: (worker) => ({
      counted: counted.get(worker) ?? 0,
      startMicros,
      restarts,
      increment: packSums(sums),
      readings: [...readings],
    }),
    figures: () => figuresOf({ sums, startMicros, restarts, readings: [...readings.values()] }, clock.nowMicros()),
  };
}
