// What a feature looked like in the training data: its values counted by bins that windows are counted by, too, and the same by
// day. Counts of the same bins add up, so any windows together are a window.

import type { Micros } from '../../core/index.ts';

/** A text or a bool is counted by value, a number by quantiles; of anything else only whether it is there. */
export type FeatureKind = 'number' | 'category' | 'opaque';

export interface FeatureReference {
  readonly name: string;
  readonly kind: FeatureKind;
  /** Whether its nulls are windows without a row. */
  readonly isWindow: boolean;
  /** Of numbers: ascending. Bin i holds what is over `edges[i − 1]` and not over `edges[i]`; the last all that is over, and NaN. */
  readonly edges: readonly number[];
  /** Of each of those bins, which of the coarser ones it is part of, that are tested. */
  readonly groups: readonly number[];
  /** Of texts: one bin each, the most frequent first, and a last one for all others. */
  readonly categories: readonly string[];
  /** All values that there were; null where they are too many to say that one is new. */
  readonly known: readonly string[] | null;
  /** Finite numbers' least and greatest; null where there is none. */
  readonly range: readonly [number, number] | null;
  /** Rows by bin, and last those without a value. */
  readonly counts: readonly number[];
  /** The same by coarse bin for each day, and last those without a value. */
  readonly days: readonly (readonly number[])[];
}

export interface Reference {
  /** The training set's id, or what else it was made from. */
  readonly id: string;
  readonly source: 'training set' | 'first windows';
  readonly rows: number;
  /** Of first windows: where they end. */
  readonly untilMicros: Micros | null;
  readonly features: readonly FeatureReference[];
}

/** What one window holds of a feature. Of units' rows each has its share, so that every unit counts 1. */
export interface WindowCounts {
  /** By the reference's bins. */
  readonly bins: readonly number[];
  /** Without a value, as the training data may be without one. */
  readonly absent: number;
  /** INVALID: no training data are. */
  readonly invalid: number;
  /** Shares of rows, of those that the log tells a value or a status of. */
  readonly rows: number;
  readonly missing: number;
  readonly nulls: number;
  readonly empty: number;
  /** Values that the reference never saw, the most frequent first; a few of them. */
  readonly fresh: readonly (readonly [value: string, rows: number])[];
}

/** Coarse bins of the reference and of a window, each with its rows without a value and its invalid ones; none that both lack. */
export function comparedCounts(
  reference: FeatureReference,
  { bins, absent, invalid }: Pick<WindowCounts, 'bins' | 'absent' | 'invalid'>,
): { readonly ref: number[]; readonly cur: number[]; readonly days: number[][]; readonly kept: number[] } {
  const before = reference.counts.slice(0, -1);
  const ref = [...coarse(reference, before), reference.counts.at(-1) ?? 0, 0];
  const cur = [...coarse(reference, bins), absent, invalid];
  const days = reference.days.map((day) => [...day, 0]);
  const kept = ref.flatMap((count, bin) => (count + (cur[bin] as number) > 0 ? [bin] : []));
  const pick = (counts: readonly number[]): number[] => kept.map((bin) => counts[bin] as number);
  return { ref: pick(ref), cur: pick(cur), days: days.map(pick), kept };
}

export function coarse({ groups }: Pick<FeatureReference, 'groups'>, counts: readonly number[]): number[] {
  const sums = new Array<number>((groups.at(-1) ?? -1) + 1).fill(0);
  counts.forEach((count, bin) => {
    const group = groups[bin] as number;
    sums[group] = (sums[group] as number) + count;
  });
  return sums;
}

/** Windows of one reference together. A unit that is in several counts in each. */
export function addCounts(a: WindowCounts, b: WindowCounts): WindowCounts {
  const fresh = new Map(a.fresh);
  for (const [value, rows] of b.fresh) fresh.set(value, (fresh.get(value) ?? 0) + rows);
  return {
    bins: a.bins.map((count, bin) => count + (b.bins[bin] ?? 0)),
    absent: a.absent + b.absent,
    invalid: a.invalid + b.invalid,
    rows: a.rows + b.rows,
    missing: a.missing + b.missing,
    nulls: a.nulls + b.nulls,
    empty: a.empty + b.empty,
    fresh: [...fresh].sort(([x, m], [y, n]) => n - m || (x < y ? -1 : 1)).slice(0, MOST_FRESH),
  };
}

/** New values that a window names. */
export const MOST_FRESH = 10;
