// When a pushed row was known, as a version's own definitions tell it.

import type { Micros, Row, Value } from '../core/index.ts';
import { knownColumn, type SourceSpec } from '../definitions/index.ts';

/**
 * When a pushed row with its derived columns was known: what it states, else when it arrived; of one that was set apart and
 * put back never before it was pushed again, for nobody could see it until then.
 */
export function knownOf(source: SourceSpec, row: Row, arrived: Micros, isPutBack: boolean | undefined): Micros {
  const stated = statedKnown(source, row) ?? arrived;
  return isPutBack === true ? Math.max(stated, arrived) : stated;
}

/**
 * Of a row with its derived columns: what its source's column for it says; undefined where the source has none besides the
 * event time, or the row's is null. Then it is when the row arrived.
 */
export function statedKnown(source: SourceSpec, row: Row): Micros | undefined {
  const column = knownColumn(source);
  const known = column === undefined ? undefined : row[column];
  return isTime(known) ? known : undefined;
}

/** A time that is no whole number in a double (after 2255) is none, as offline. */
export function isTime(value: Value | undefined): value is Micros {
  return Number.isSafeInteger(value);
}
