// Times as users type them on the command line.

import { type Micros, parseTimestamp } from '../core/index.ts';
import { usageError } from './command.ts';

/** Reads the option's value; throws HR_USAGE when it is no timestamp. */
export function readTime(option: string, text: string | undefined): Micros | undefined {
  if (text === undefined) return undefined;
  const at = parseTimestamp(text);
  if (at === undefined) throw usageError(`${option} takes a time such as 2026-11-24T10:00:00Z, got "${text}".`);
  return at;
}
