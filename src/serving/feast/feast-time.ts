// Times as Feast's clients send them: in ISO 8601, in UTC where no zone is told, or in whole seconds since 1970.

import { type DataType, MICROS_PER_SECOND, timeOfMicros } from '../../core/index.ts';
import type { ColumnParser } from '../row-parser.ts';

/** Past it a number is no seconds (it would be the year 5138), but milliseconds or finer, and which is a guess. */
const MOST_SECONDS = 100_000_000_000;

/** As a timestamp's value; undefined for what are no whole seconds. */
export function epochSeconds(raw: unknown): number | undefined {
  if (typeof raw !== 'number' || !Number.isInteger(raw) || Math.abs(raw) >= MOST_SECONDS) return undefined;
  return timeOfMicros(BigInt(raw) * BigInt(MICROS_PER_SECOND));
}

/** The same parser, and of a timestamp one that takes seconds, too. */
export function withEpochSeconds(type: DataType, parse: ColumnParser): ColumnParser {
  return type.kind === 'timestamp' ? (raw) => epochSeconds(raw) ?? parse(raw) : parse;
}
