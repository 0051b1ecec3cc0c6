// By which clock a driver tells times: the database's as it was when it began, and steady from there. Clocks of machines are apart,
// and are set; what is due in a second is due in a second.

import type { Clock } from '../../core/index.ts';
import { type Database, databaseNow } from '../../storage/index.ts';

export async function openDriverClock(database: Database): Promise<Clock> {
  const startMs = performance.now();
  const start = await databaseNow(database);
  return { nowMicros: () => start + Math.floor((performance.now() - startMs) * 1000) };
}
