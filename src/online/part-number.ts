// The numbers of a writer's parts. They rise, and carry in their low bits which log they are of: two writers that were given one
// number write their parts to the same places of a store, and neither may replace the other's.

import { createHash } from 'node:crypto';

/** A number is `FIRST_NUMBER`, and a count times this, and its log's mark. Counts up to 2^36 are exact. */
export const LOG_MARKS = 2 ** 16;

/** Numbers below it were given before numbers had marks: they are of any log. */
export const FIRST_NUMBER = 2 ** 52;

/** A log's number before its first, by the token of its writer. */
export function numberBefore(token: string): number {
  return FIRST_NUMBER + createHash('sha256').update(token).digest().readUInt16BE(0);
}

/** Whether two logs wrote the parts that have these numbers. */
export function isOfOtherLog(one: number, other: number): boolean {
  return one >= FIRST_NUMBER && other >= FIRST_NUMBER && one % LOG_MARKS !== other % LOG_MARKS;
}
