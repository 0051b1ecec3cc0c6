// Many histories, by consecutive seeds.

import { type Played, playHistory } from './history.ts';
import type { Rule } from './rules.ts';

export interface Found {
  /** Histories whose reads the oracle denied. */
  readonly denied: readonly Played[];
  /** Sums over all. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface Histories {
  readonly count: number;
  readonly firstSeed?: number;
  readonly without?: readonly Rule[];
}

export function playAll({ count, firstSeed = 1, without = [] }: Histories): Found {
  const denied: Played[] = [];
  const counts: Record<string, number> = {};
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const played = playHistory(seed, without);
    if (played.denied !== undefined) denied.push(played);
    for (const [what, times] of played.counts) counts[what] = (counts[what] ?? 0) + times;
  }
  return { denied, counts };
}

/** The first history that the oracle denies. */
export function findDenied({ count, firstSeed = 1, without = [] }: Histories): Played | undefined {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const played = playHistory(seed, without);
    if (played.denied !== undefined) return played;
  }
  return undefined;
}
