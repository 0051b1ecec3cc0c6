// The store of runs over a database, put together.

import type { Clock } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import { createRequests } from './ask-of-run.ts';
import { createRunMaker } from './create-run.ts';
import { createFlush } from './flush-batch.ts';
import { createPoolRows } from './pool-slots.ts';
import { createReads } from './read-runs.ts';
import { createTaskReads } from './read-tasks.ts';
import { createRestart } from './restart-run.ts';
import { createLeases } from './run-lease.ts';
import type { RunStore } from './run-store.ts';
import { migratePipelines } from './tables.ts';
import { createWaker, POOLS_CHANNEL } from './wake.ts';

/** Makes the tables where they are not there. `clock`: when runs are made, cancelled and resumed; leases go by the database's own. */
export async function openRunStore(opened: Database, clock: Clock): Promise<RunStore> {
  const database = await migratePipelines(opened);
  const { listen, tell } = createWaker(database);
  const pools = createWaker(database, POOLS_CHANNEL);
  const create = createRunMaker(database, clock);
  const flush = createFlush(database);
  const leases = createLeases(database);
  const requests = createRequests(database, clock);
  const restart = createRestart(database, clock);
  return {
    ...createReads(database),
    ...createTaskReads(database),
    ...leases,
    ...createPoolRows(database, pools.tell),
    listen,
    listenToPools: pools.listen,
    create: (run) => tell(create(run)),
    // Slots are given back with it.
    release: (id, epoch) => pools.tell(tell(leases.release(id, epoch))),
    flush: (id, epoch, number, batch) => {
      const flushed = flush(id, epoch, number, batch);
      const told = batch.run === null && batch.pools.length === 0 ? flushed : pools.tell(flushed);
      return batch.run === null ? told : tell(told);
    },
    requestCancel: (id, options) => pools.tell(tell(requests.requestCancel(id, options))),
    requestResume: (id, resume) => tell(requests.requestResume(id, resume)),
    restart: (id) => tell(restart(id)),
  };
}
