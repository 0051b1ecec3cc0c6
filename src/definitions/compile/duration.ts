// Durations as users write them, '5m' or '7d', to microseconds.

import { type Micros, parseDuration } from '../../core/index.ts';
import type { Path } from '../authoring/call.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

/** A duration in microseconds; a bad one is reported and given as 1, so that the rest can be checked too. */
export function duration(
  owner: Parameters<Mistakes['add']>[0],
  member: string,
  text: unknown,
  zeroAllowed: boolean,
  at: Path,
  mistakes: Mistakes,
  of?: Parameters<Mistakes['add']>[0],
): Micros {
  const micros = typeof text === 'string' ? parseDuration(text) : undefined;
  if (micros !== undefined && (zeroAllowed || micros > 0)) return micros;
  const rule = micros === 0 ? 'must be longer than zero' : `is not a duration`;
  mistakes.add(owner, `${member} ${showName(text)} ${rule}: write it like '5m', '12h', '7d' or '1h30m'`, at, of);
  return 1;
}
