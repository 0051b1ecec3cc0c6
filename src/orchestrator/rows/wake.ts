// Who waits for runs is told when there may be something to do.

import type { Database } from '../../storage/index.ts';
import type { RunStore } from './run-store.ts';
import { statement } from './statement.ts';

const RUNS_CHANNEL = 'headrace_pipelines';
export const POOLS_CHANNEL = 'headrace_pools';

export interface Waker {
  readonly listen: RunStore['listen'];
  /** Tells everyone once it is done; gives what it gave. */
  tell<R>(change: Promise<R>): Promise<R>;
}

export function createWaker(database: Database, channel = RUNS_CHANNEL): Waker {
  /** SQLite tells a connection of others' commits alone. */
  const here = new Set<() => void>();
  const notify = statement(database.kind, `select pg_notify('${channel}', '')`);
  return {
    async listen(wake) {
      if (database.kind === 'postgres') return database.listen(channel, wake);
      const end = await database.listen(channel, wake);
      here.add(wake);
      return async () => {
        here.delete(wake);
        await end();
      };
    },
    async tell(change) {
      const done = await change;
      // What was committed stays so, whether or not it can be told: who listens also looks from time to time.
      if (database.kind === 'postgres') await notify(database.tables()).catch(() => {});
      else for (const wake of here) wake();
      return done;
    },
  };
}
