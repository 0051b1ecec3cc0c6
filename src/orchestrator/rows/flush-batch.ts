// A batch of what a driver decided, written in one transaction that begins by proving that the run is still its own. A table gets
// one statement, with all its rows as JSON.

import { HeadraceError } from '../../core/index.ts';
import { clockText, type Database } from '../../storage/index.ts';
import type { Batch, RunChange } from '../engine/batch.ts';
import { createBatchRows } from './batch-rows.ts';
import { createPoolChanges, createPoolEnd } from './give-slots-back.ts';
import { LEASE_MICROS } from '../lease.ts';
import { unknownRun } from './run-lease.ts';
import type { Flushed, RunStore } from './run-store.ts';
import { type Db, statement, storable } from './statement.ts';

interface Fenced {
  readonly events: number;
  readonly cancel_requested: number;
}

export function createFlush(database: Database): RunStore['flush'] {
  const { kind } = database;
  const fence = statement<Fenced>(
    kind,
    `update pipeline_runs set batch = ?, events = events + ?, lease_until = ${clockText(kind)} + ${LEASE_MICROS}
     where id = ? and epoch = ? and batch = ? returning events, cancel_requested`,
  );
  const read = statement<{ epoch: number; batch: number; driver: string | null; cancel_requested: number }>(
    kind,
    'select epoch, batch, driver, cancel_requested from pipeline_runs where id = ?',
  );
  // Its driver's process may live on: whoever asks for it to go on does not wait for a lease.
  const changeRun = statement(
    kind,
    'update pipeline_runs set state = ?, error = ?, ended_at = ?, lease_until = 0 where id = ? and epoch = ?',
  );
  const rows = createBatchRows(kind);
  const changePools = createPoolChanges(kind);
  const endPools = createPoolEnd(kind);

  /** Gives whether the batch was written before; throws where it may not be. */
  const explain = async (trx: Db, id: string, epoch: number, number: number): Promise<Flushed> => {
    const row = (await read(trx, id)).rows[0];
    if (row === undefined) throw unknownRun(id);
    if (row.epoch !== epoch) {
      const by = row.driver === null ? 'it was let go, cancelled or resumed' : `${row.driver} drives it`;
      throw new HeadraceError(
        'HR_CONFLICT',
        `run ${id} is no longer this driver's: ${by}, at epoch ${row.epoch}, and this is ${epoch}. Nothing was written.`,
      );
    }
    if (row.batch !== number) {
      throw new HeadraceError('HR_INTERNAL', `run ${id} is at batch ${row.batch}, and batch ${number} came`);
    }
    return { isCancelRequested: row.cancel_requested === 1, refused: 0 };
  };

  const end = async (trx: Db, id: string, epoch: number, run: RunChange): Promise<void> => {
    await changeRun(trx, run.state, storable(run.error), run.endedAt, id, epoch);
    await endPools(trx, id);
  };

  return (id, epoch, number, batch: Batch) =>
    database.transaction<unknown, Flushed>(async (trx) => {
      const fenced = (await fence(trx, number, batch.events.length, id, epoch, number - 1)).rows[0];
      if (fenced === undefined) return explain(trx, id, epoch, number);
      if (batch.pools.length > 0) await changePools(trx, id, batch.pools);
      if (batch.run !== null) await end(trx, id, epoch, batch.run);
      const refused = await rows.write(trx, id, batch, fenced.events - batch.events.length);
      return { isCancelRequested: fenced.cancel_requested === 1, refused };
    });
}
