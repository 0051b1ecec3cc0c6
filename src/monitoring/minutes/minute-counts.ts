// Counts of a minute, added up: over servers, arms and minutes.

import type { MinuteCounts } from './minute-row.ts';

export type Writable<T> = { -readonly [Member in keyof T]: T[Member] };

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
