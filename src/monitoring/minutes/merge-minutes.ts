// Rows of several servers and arms as one: sums of counts, sketches and outcomes. The order in which they come does not matter.

import type { Micros } from '../../core/index.ts';
import { createSketch, type LatencySketch, mergeSketch, unpackSketch } from '../monitor/latency-sketch.ts';
import { type MinuteCounts, type MinuteRow, OUTCOME_GROUPS } from './minute-row.ts';

/** One minute of one version at one variant under one revision, over all servers and arms. */
export interface MergedMinute extends MinuteCounts {
  readonly variant: string;
  readonly version: number;
  readonly revision: number;
  readonly minute: Micros;
  /** The least that a server held `slow` against; null where one held it against nothing. */
  readonly slowMicros: number | null;
  readonly latency: LatencySketch;
  /** By group of units. Undefined where nothing was told. Of outcomes alone, whose variant is empty. */
  readonly outcomes: MergedOutcomes | undefined;
}

export interface MergedOutcomes {
  readonly n: readonly number[];
  readonly sum: readonly number[];
  readonly squares: readonly number[];
}

/** By minute, then revision, variant and version. Of arms and outcomes. */
export function mergeMinutes(rows: readonly MinuteRow[]): readonly MergedMinute[] {
  const merged = new Map<string, Writable<MergedMinute>>();
  for (const row of rows) {
    const { variant, version, revision, minute } = row;
    const key = JSON.stringify([minute, revision, variant, version]);
    const into = merged.get(key);
    const counts = into ?? emptyMinute({ variant, version, revision, minute, slowMicros: row.slowMicros });
    if (into === undefined) merged.set(key, counts);
    addCounts(counts, row);
    if (row.requests > 0) counts.slowMicros = least(counts.slowMicros, row.slowMicros);
    mergeSketch(counts.latency, unpackSketch(row.latency));
    if (row.outcomes !== null) counts.outcomes = addOutcomes(counts.outcomes, row.outcomes);
  }
  return [...merged.values()].toSorted(byPlace);
}

export function addCounts(into: Writable<MinuteCounts>, from: MinuteCounts): void {
  into.requests += from.requests;
  into.rows += from.rows;
  into.errors += from.errors;
  into.refused += from.refused;
  into.rejected += from.rejected;
  into.slow += from.slow;
  into.nulls += from.nulls;
  into.breakerOpens += from.breakerOpens;
}

export const noCounts = (): Writable<MinuteCounts> => ({
  requests: 0,
  rows: 0,
  errors: 0,
  refused: 0,
  rejected: 0,
  slow: 0,
  nulls: 0,
  breakerOpens: 0,
});

export type Writable<T> = { -readonly [Member in keyof T]: T[Member] };

export interface SeriesPlace {
  readonly minute: Micros;
  readonly revision: number;
  readonly variant: string;
  readonly version: number;
}

/** The order of what happened, as far as it is known; the same for the same rows, however they came. */
export function byPlace(a: SeriesPlace, b: SeriesPlace): number {
  if (a.minute !== b.minute) return a.minute - b.minute;
  if (a.revision !== b.revision) return a.revision - b.revision;
  if (a.variant !== b.variant) return a.variant < b.variant ? -1 : 1;
  return a.version - b.version;
}

function emptyMinute(place: SeriesPlace & Pick<MergedMinute, 'slowMicros'>): Writable<MergedMinute> {
  return { ...place, ...noCounts(), latency: createSketch(), outcomes: undefined };
}

const least = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : Math.min(a, b));

function addOutcomes(into: MergedOutcomes | undefined, from: MergedOutcomes): MergedOutcomes {
  const add = (a: readonly number[] | undefined, b: readonly number[]): number[] =>
    Array.from({ length: OUTCOME_GROUPS }, (_, group) => (a?.[group] ?? 0) + (b[group] ?? 0));
  return {
    n: add(into?.n, from.n),
    sum: add(into?.sum, from.sum),
    squares: add(into?.squares, from.squares),
  };
}
