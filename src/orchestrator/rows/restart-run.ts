// Takes back what was made of the results of a run that is driven elsewhere: they tell otherwise by now.

import { type Clock, parseJson } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';
import type { Database } from '../../storage/index.ts';
import { firstRows, graphOf } from '../engine/graph.ts';
import { createEventWriter } from './add-event.ts';
import { createRowLock, refuseHeld, refuseHere } from './run-lease.ts';
import type { RunStore } from './run-store.ts';
import { rowsOfJson, statement } from './statement.ts';

const TABLES = ['pipeline_events', 'pipeline_tasks', 'pipeline_steps'] as const;

export function createRestart(database: Database, clock: Clock): RunStore['restart'] {
  const { kind } = database;
  const lockRow = createRowLock(kind);
  const addEvent = createEventWriter(kind);
  const read = statement<{ spec: string; created_at: number }>(
    kind,
    'select spec, created_at from pipeline_runs where id = ?',
  );
  const removals = TABLES.map((table) => statement(kind, `delete from ${table} where run_id = ?`));
  // Whoever had it before writes nothing more.
  const reset = statement(
    kind,
    `update pipeline_runs set state = 'queued', error = null, driver = null, lease_until = 0, epoch = epoch + 1, events = 0,
       started_at = null, ended_at = null where id = ?`,
  );
  const insertSteps = statement(
    kind,
    `insert into pipeline_steps (run_id, step, scope, state, next_index, running, retry, succeeded, failed, cancelled)
     select c.run_id, c.step, c.scope, 'waiting', 0, 0, 0, 0, 0, 0 from ${rowsOfJson(kind, { step: 'text', scope: 'text' })}`,
  );
  return (id) =>
    database.transaction<unknown, void>(async (trx) => {
      const row = await lockRow(trx, id);
      refuseHere(row);
      refuseHeld(row);
      const { spec = '{}', created_at: at = clock.nowMicros() } = (await read(trx, id)).rows[0] ?? {};
      // As it was written by this store.
      const pipeline = parseJson(spec) as unknown as PipelineSpec;
      for (const remove of removals) await remove(trx, id);
      await reset(trx, id);
      await insertSteps(trx, id, JSON.stringify(firstRows(graphOf(pipeline)).map(({ step, scope }) => [step, scope])));
      await addEvent(trx, id, at, 'created');
    });
}
