// Ends a run that nobody drives: its rows as they are left for good, until somebody goes on with it.

import type { Micros } from '../../core/index.ts';
import type { DatabaseKind } from '../../storage/index.ts';
import { createEventWriter } from './add-event.ts';
import { createPoolEnd } from './give-slots-back.ts';
import { type Db, statement } from './statement.ts';

export interface Cancels {
  /**
   * Cancels it at once, and gives true; false where an executor elsewhere still runs a task of it, which whoever takes the run next ends.
   * In a transaction that has the run's row. `reason`: a sentence, which is the run's error from then on.
   */
  unlessAtWork(trx: Db, id: string, at: Micros, reason?: string): Promise<boolean>;
}

/** Cancels what of a run's tasks and steps has not ended; of those alone that `where` leaves, which takes the values that come last. */
export function createRowCancels(
  kind: DatabaseKind,
  where = '',
): (trx: Db, at: Micros, id: string, ...values: readonly string[]) => Promise<void> {
  const cancelTasks = statement(
    kind,
    `update pipeline_tasks set state = 'cancelled', ended_at = ?
     where run_id = ? and state <> 'succeeded' and state in ('running', 'retry') ${where}`,
  );
  const cancelSteps = statement(
    kind,
    `update pipeline_steps set state = 'cancelled', cancelled = cancelled + running + retry, running = 0, retry = 0, ended_at = ?
     where run_id = ? and state in ('waiting', 'open') ${where}`,
  );
  return async (...given) => {
    await cancelTasks(...given);
    await cancelSteps(...given);
  };
}

export function createCancels(kind: DatabaseKind): Cancels {
  const addEvent = createEventWriter(kind);
  const endPools = createPoolEnd(kind);
  const runsElsewhere = statement(
    kind,
    `select 1 as one from pipeline_slices where run_id = ? and executor not like 'local%' and id in
       (select slice from pipeline_tasks where run_id = ? and state <> 'succeeded' and state = 'running') limit 1`,
  );
  const cancelRun = statement(
    kind,
    `update pipeline_runs set state = 'cancelled', cancel_requested = 1, driver = null, lease_until = 0, epoch = epoch + 1,
       ended_at = ?, error = ? where id = ?`,
  );
  const cancelRows = createRowCancels(kind);
  return {
    async unlessAtWork(trx, id, at, reason) {
      if ((await runsElsewhere(trx, id, id)).rows.length > 0) return false;
      await cancelRun(trx, at, reason ?? null, id);
      await endPools(trx, id);
      await cancelRows(trx, at, id);
      await addEvent(trx, id, at, 'cancelled', reason);
      return true;
    },
  };
}
