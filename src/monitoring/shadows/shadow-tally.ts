// What one process has counted of a shadow: pairs of what was answered and what the shadow would have, and what became of rows
// that make no pair. Counting a pair allocates nothing.

import type { ErrorCode } from '../../core/index.ts';
import {
  addLatency,
  clearSketch,
  createSketch,
  type LatencySketch,
  mergeSketch,
  type PackedSketch,
  packSketch,
  unpackSketch,
} from '../monitor/latency-sketch.ts';
import {
  addScore,
  clearScores,
  createScores,
  mergeScores,
  type PackedScores,
  packScores,
  type ScoreSketch,
} from './score-sketch.ts';

export interface ShadowOf {
  readonly endpoint: string;
  readonly version: number;
}

/**
 * Why the shadow never got a row, or not in time. `full`: its ring was full. For five seconds `busy`: requests were being
 * answered; `lag`: the event loop was late; `budget`: shadows had used their share of a core. `late`: it ran, or waited for the
 * model, past its deadline. `refused`: the model had too much to do. `unloaded`: its version is not loaded. `retired`: the
 * traffic changed. `stopping`: the server stops.
 */
export type ShadowDrop = 'full' | 'busy' | 'lag' | 'budget' | 'late' | 'refused' | 'unloaded' | 'retired' | 'stopping';

/** One row by both, compared. */
export interface ShadowPair {
  readonly isAgreed: boolean;
  /** Of the scores, absolute; NaN where there is none that is finite. */
  readonly difference: number;
  /** NaN is counted as that; undefined where the outputs have no score. */
  readonly answered: number | undefined;
  readonly shadowed: number | undefined;
}

export interface ShadowMeter {
  pair(pair: ShadowPair, answeredMicros: number, shadowMicros: number): void;
  /** Rows that the shadow failed. */
  failed(code: ErrorCode, rows: number): void;
  dropped(reason: ShadowDrop, rows: number): void;
}

export interface ShadowTally extends ShadowOf {
  pairs: number;
  agreed: number;
  /** Pairs with a difference, and its sum. */
  differing: number;
  difference: number;
  readonly answered: ScoreSketch;
  readonly shadowed: ScoreSketch;
  /** Of the answered request, and of the shadow's run. */
  readonly answeredLatency: LatencySketch;
  readonly shadowLatency: LatencySketch;
  readonly errors: Map<string, number>;
  readonly dropped: Map<string, number>;
  /** Told of once though nothing was counted, so that it is known to be zero. */
  isTold: boolean;
}

export const createShadowTally = ({ endpoint, version }: ShadowOf): ShadowTally => ({
  endpoint,
  version,
  pairs: 0,
  agreed: 0,
  differing: 0,
  difference: 0,
  answered: createScores(),
  shadowed: createScores(),
  answeredLatency: createSketch(),
  shadowLatency: createSketch(),
  errors: new Map(),
  dropped: new Map(),
  isTold: false,
});

export function shadowMeter(tally: ShadowTally): ShadowMeter {
  return {
    pair({ isAgreed, difference, answered, shadowed }, answeredMicros, shadowMicros) {
      tally.pairs++;
      if (isAgreed) tally.agreed++;
      if (!Number.isNaN(difference)) {
        tally.differing++;
        tally.difference += difference;
      }
      if (answered !== undefined) addScore(tally.answered, answered);
      if (shadowed !== undefined) addScore(tally.shadowed, shadowed);
      addLatency(tally.answeredLatency, Math.round(answeredMicros));
      addLatency(tally.shadowLatency, Math.round(shadowMicros));
    },
    failed: (code, rows) => add(tally.errors, code, rows),
    dropped: (reason, rows) => add(tally.dropped, reason, rows),
  };
}

/** A tally as plain data, for another process. */
export interface PackedShadow extends ShadowOf {
  readonly pairs: number;
  readonly agreed: number;
  readonly differing: number;
  readonly difference: number;
  readonly answered: PackedScores;
  readonly shadowed: PackedScores;
  readonly answeredLatency: PackedSketch;
  readonly shadowLatency: PackedSketch;
  readonly errors: readonly (readonly [code: string, rows: number])[];
  readonly dropped: readonly (readonly [reason: string, rows: number])[];
}

export const packShadow = (tally: ShadowTally): PackedShadow => ({
  endpoint: tally.endpoint,
  version: tally.version,
  pairs: tally.pairs,
  agreed: tally.agreed,
  differing: tally.differing,
  difference: tally.difference,
  answered: packScores(tally.answered),
  shadowed: packScores(tally.shadowed),
  answeredLatency: packSketch(tally.answeredLatency),
  shadowLatency: packSketch(tally.shadowLatency),
  errors: [...tally.errors],
  dropped: [...tally.dropped],
});

/** What was counted since the last time; undefined when that is nothing. */
export function takeShadow(tally: ShadowTally): PackedShadow | undefined {
  if (tally.pairs === 0 && tally.errors.size === 0 && tally.dropped.size === 0 && tally.isTold) return undefined;
  tally.isTold = true;
  const taken = packShadow(tally);
  tally.pairs = tally.agreed = tally.differing = tally.difference = 0;
  clearScores(tally.answered);
  clearScores(tally.shadowed);
  clearSketch(tally.answeredLatency);
  clearSketch(tally.shadowLatency);
  tally.errors.clear();
  tally.dropped.clear();
  return taken;
}

export function addShadow(into: Map<string, ShadowTally>, packed: PackedShadow): void {
  const key = JSON.stringify([packed.endpoint, packed.version]);
  let tally = into.get(key);
  if (tally === undefined) into.set(key, (tally = createShadowTally(packed)));
  tally.pairs += packed.pairs;
  tally.agreed += packed.agreed;
  tally.differing += packed.differing;
  tally.difference += packed.difference;
  mergeScores(tally.answered, packed.answered);
  mergeScores(tally.shadowed, packed.shadowed);
  mergeSketch(tally.answeredLatency, unpackSketch(packed.answeredLatency));
  mergeSketch(tally.shadowLatency, unpackSketch(packed.shadowLatency));
  for (const [code, rows] of packed.errors) add(tally.errors, code, rows);
  for (const [reason, rows] of packed.dropped) add(tally.dropped, reason, rows);
}

function add(into: Map<string, number>, name: string, count: number): void {
  into.set(name, (into.get(name) ?? 0) + count);
}
