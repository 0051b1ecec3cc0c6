// Sums that add up over time, over variants and over processes.

import type { Micros } from '../../core/index.ts';
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
import type { FailureKind } from './failure-kind.ts';

/** Requests; of an arm, `refused`, `rejected` and `failed` are rows. */
export interface Tally {
  requests: number;
  rows: number;
  refused: number;
  rejected: number;
  failed: number;
  /** Of answered requests. */
  readonly latency: LatencySketch;
}

export const createTally = (): Tally => ({
  requests: 0,
  rows: 0,
  refused: 0,
  rejected: 0,
  failed: 0,
  latency: createSketch(),
});

/** `latencyMicros` is rounded: whole numbers have the same sum in whatever order they are added. */
export function countAnswer(tally: Tally, latencyMicros: number, rows: number): void {
  tally.requests++;
  tally.rows += rows;
  addLatency(tally.latency, Math.round(latencyMicros));
}

export function countFailure(tally: Tally, kind: FailureKind, count: number): void {
  tally[kind] += count;
}

export function addTally(into: Tally, other: Tally): void {
  into.requests += other.requests;
  into.rows += other.rows;
  into.refused += other.refused;
  into.rejected += other.rejected;
  into.failed += other.failed;
  mergeSketch(into.latency, other.latency);
}

export function clearTally(tally: Tally): void {
  tally.requests = tally.rows = tally.refused = tally.rejected = tally.failed = 0;
  clearSketch(tally.latency);
}

export const isEmpty = ({ requests, refused, rejected, failed }: Tally): boolean =>
  requests + refused + rejected + failed === 0;

/** A tally as plain data, for another process. */
export interface PackedTally {
  /** The second that it was counted in; null for one that is out of the window. */
  readonly secondMicros: Micros | null;
  readonly requests: number;
  readonly rows: number;
  readonly refused: number;
  readonly rejected: number;
  readonly failed: number;
  readonly latency: PackedSketch;
}

export const packTally = (tally: Tally, secondMicros: Micros | null): PackedTally => ({
  secondMicros,
  requests: tally.requests,
  rows: tally.rows,
  refused: tally.refused,
  rejected: tally.rejected,
  failed: tally.failed,
  latency: packSketch(tally.latency),
});

export const unpackTally = ({ requests, rows, refused, rejected, failed, latency }: PackedTally): Tally => ({
  requests,
  rows,
  refused,
  rejected,
  failed,
  latency: unpackSketch(latency),
});
