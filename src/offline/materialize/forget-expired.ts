// Lets the store forget what is past its expiry, now and then: it looks at every record to find them.

import { type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import type { OnlineStore } from '../../online/index.ts';

const EVERY: Micros = MICROS_PER_HOUR;
/** Name of the note in the store of when it was last done. */
const NOTE = 'expired-removed-at';

/** Does nothing when it was done within the hour: records expire with days of slack. Gives how many were removed. */
export async function forgetExpired(store: OnlineStore, now: Micros): Promise<number> {
  const last = await store.getMeta(NOTE);
  // A note from ahead is of a clock that has been set back since.
  if (last !== undefined && Number(last) <= now && now - Number(last) < EVERY) return 0;
  const removed = await store.removeExpired();
  await store.setMeta(NOTE, String(now));
  return removed;
}
