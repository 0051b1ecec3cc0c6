// Numbers and words of options: within their bounds, or told.

import type { Authored } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import type { Mistakes } from './mistakes.ts';

/** Between 0 and 1, without both. */
export function isFraction(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value < 1;
}

/** Percent in steps of 0.01, above 0. */
export function isPercent(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= 100 && Math.round(value * 100) / 100 === value;
}

/** Reports what is none of the words. */
export function oneOf(
  owner: Authored,
  what: string,
  value: unknown,
  words: readonly string[],
  at: Path,
  mistakes: Mistakes,
): void {
  if (words.some((word) => word === value)) return;
  const all = words.map((word) => `'${word}'`).join(', ');
  mistakes.add(owner, `${what} must be one of ${all}, got ${describeResult(value)}`, at);
}
