// What people do with rollouts, by the clock that all servers share: minutes, and what a controller writes, are dated by it.

import type { Clock } from '../core/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Rollouts } from '../rollouts/index.ts';
import type { Database } from '../storage/index.ts';
import { createClosers } from './lazily.ts';

/** Ask it anew for each thing that is done: a server is up for long, and its clock may go off, or be put right, meanwhile. */
export function sharedRollouts(
  database: () => Promise<Database>,
  registry: () => Promise<Registry>,
  clock: Clock,
): () => Promise<Rollouts> {
  const { lazily } = createClosers();
  const open = lazily(async () => {
    const { createSharedClock } = await import('../storage/index.ts');
    const { openRollouts } = await import('../rollouts/index.ts');
    const shared = createSharedClock(await database(), clock);
    const rollouts = await openRollouts({
      database: await database(),
      registry: await registry(),
      clock: { nowMicros: shared.now },
    });
    return { shared, rollouts };
  });
  return async () => {
    const { shared, rollouts } = await open();
    // Measured once a minute at most.
    await shared.set();
    return rollouts;
  };
}
