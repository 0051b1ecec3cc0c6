// Slots of pools that a run gives back: in the transaction that writes what ended on them, and that ends it or lets it go.

import { clockText, type DatabaseKind } from '../../storage/index.ts';
import type { Batch } from '../engine/batch.ts';
import { type Db, statement } from './statement.ts';

/** Writes what a batch keeps of its run's slots. */
export function createPoolChanges(kind: DatabaseKind): (trx: Db, id: string, changes: Batch['pools']) => Promise<void> {
  const keep = statement(
    kind,
    `update pipeline_pools set slots = ?, wanted = ?, since = case when ? = 0 and slots > 0 then ${clockText(kind)} else since end
     where pool = ? and run_id = ?`,
  );
  return async (trx, id, changes) => {
    for (const { pool, slots, wanted } of changes) await keep(trx, slots, wanted, slots, pool, id);
  };
}

/** Gives all of a run's slots back, in the transaction that ends it. */
export function createPoolEnd(kind: DatabaseKind): (trx: Db, id: string) => Promise<void> {
  const end = statement(kind, 'delete from pipeline_pools where run_id = ?');
  return async (trx, id) => void (await end(trx, id));
}

/** Gives those of a run that was let go back: all, unless rows say that some of it still runs. */
export function createPoolRelease(kind: DatabaseKind): (trx: Db, id: string) => Promise<void> {
  const release = statement(
    kind,
    `delete from pipeline_pools where run_id = ? and not exists
       (select 1 from pipeline_tasks where run_id = ? and state <> 'succeeded' and state = 'running')`,
  );
  return async (trx, id) => void (await release(trx, id, id));
}
