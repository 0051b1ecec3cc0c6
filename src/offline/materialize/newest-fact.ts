// The newest fact that a run knows of: an incremental one looks only at those that changed since the run it builds on.

import type { Micros } from '../../core/index.ts';
import type { RunRow } from '../../online/index.ts';
import type { TouchedKeys } from './touched-keys.ts';

/** Event time of the newest of all facts; null for none. `before`: the run that an incremental one builds on. */
export function newestOf(
  before: RunRow | undefined,
  { newestMicros }: Pick<TouchedKeys, 'newestMicros'>,
): Micros | null {
  const earlier = before?.counts?.newestMicros ?? null;
  return newestMicros === null || earlier === null ? (newestMicros ?? earlier) : Math.max(newestMicros, earlier);
}
