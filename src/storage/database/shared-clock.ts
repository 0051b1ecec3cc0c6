// The clock that servers of several machines share: this machine's, set by the database's. Minutes of all servers are the same
// minutes by it, and a row that is late is late wherever it was counted.

import type { Clock, Micros } from '../../core/index.ts';
import { createClockSkew } from './clock-skew.ts';
import type { Database } from './database.ts';

export interface SharedClock {
  /** As it was last set; what this machine's clock is set by since moves it not. */
  now(): Micros;
  /** Sets it, once a minute or where this machine's clock was set, and gives the time. Rejects while the database is away. */
  set(): Promise<Micros>;
}

export function createSharedClock(database: Database, clock: Clock): SharedClock {
  const skew = createClockSkew(database);
  const now = (): Micros => clock.nowMicros() + skew.known();
  return {
    now,
    async set() {
      await skew.measure();
      return now();
    },
  };
}
