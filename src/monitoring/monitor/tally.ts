// Sums that add up over time, over variants and over processes; and those of the last ten seconds.

import { type Clock, floorTo, type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import {
  addLatency,
  clearSketch,
  createSketch,
  type LatencySketch,
  mergeSketch,
  type PackedSketch,
  packSketch,
  unpackSketch,
} from './latency-sketch.ts';

export interface Tally {
  requests: number;
  rows: number;
  errors: number;
  /** Of answered requests. */
  readonly latency: LatencySketch;
}

export const createTally = (): Tally => ({ requests: 0, rows: 0, errors: 0, latency: createSketch() });

export function countRequest(tally: Tally, latencyMicros: number, rows: number): void {
  tally.requests++;
  tally.rows += rows;
  addLatency(tally.latency, latencyMicros);
}

export function addTally(into: Tally, other: Tally): void {
  into.requests += other.requests;
  into.rows += other.rows;
  into.errors += other.errors;
  mergeSketch(into.latency, other.latency);
}

/** A tally as plain data, for another process. */
export interface PackedTally {
  readonly requests: number;
  readonly rows: number;
  readonly errors: number;
  readonly latency: PackedSketch;
}

export const packTally = (tally: Tally): PackedTally => ({ ...tally, latency: packSketch(tally.latency) });
export const unpackTally = (packed: PackedTally): Tally => ({ ...packed, latency: unpackSketch(packed.latency) });

/** Seconds over which rates and recent latencies are taken; the newest is the one under way. */
export const WINDOW_SECONDS = 10;

export interface SlidingTally {
  /** The tally of the second that the clock shows. */
  now(): Tally;
  /** The sum over the window that ends now. */
  sum(): Tally;
}

interface Slot extends Tally {
  startMicros: Micros;
}

/** A ring of one tally a second. */
export function createSlidingTally(clock: Clock): SlidingTally {
  const slots = Array.from({ length: WINDOW_SECONDS }, (): Slot => ({ ...createTally(), startMicros: -Infinity }));
  return {
    now() {
      const startMicros = floorTo(clock.nowMicros(), MICROS_PER_SECOND);
      const slot = slots[(startMicros / MICROS_PER_SECOND) % WINDOW_SECONDS] as Slot;
      if (slot.startMicros !== startMicros) {
        slot.startMicros = startMicros;
        slot.requests = slot.rows = slot.errors = 0;
        clearSketch(slot.latency);
      }
      return slot;
    },
    sum() {
      const oldest = floorTo(clock.nowMicros(), MICROS_PER_SECOND) - (WINDOW_SECONDS - 1) * MICROS_PER_SECOND;
      const sum = createTally();
      for (const slot of slots) if (slot.startMicros >= oldest) addTally(sum, slot);
      return sum;
    },
  };
}
