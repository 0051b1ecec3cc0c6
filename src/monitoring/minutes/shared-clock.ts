// The clock that servers of several machines share: this machine's, set by the database's. Minutes of all servers are the same
// minutes by it, and a row that is late is late wherever it was counted.

import type { Clock, Micros } from '../../core/index.ts';
import { createClockSkew, type Database } from '../../storage/index.ts';

export interface SharedClock {
  /** As it was last set. */
  now(): Micros;
  /** Sets it, at most once a minute, and gives the time. Rejects while the database is away. */
  set(): Promise<Micros>;
}

export function createSharedClock(database: Database, clock: Clock): SharedClock {
  const measure = createClockSkew(database);
  let skew = 0;
  const now = (): Micros => clock.nowMicros() + skew;
  return {
    now,
    async set() {
      skew = await measure();
      return now();
    },
  };
}
