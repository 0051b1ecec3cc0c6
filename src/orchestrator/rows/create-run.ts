// A run's first rows.

import { type Clock, type Micros, stringifyJson } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import { newRunId } from '../run-id.ts';
import { createEventWriter } from './add-event.ts';
import type { NewRun, RunStore } from './run-store.ts';
import { rowsOfJson, statement, textsOfJson } from './statement.ts';

type Created = Awaited<ReturnType<RunStore['create']>>;

export function createRunMaker(
  database: Database,
  clock: Clock,
  mintId: (now: Micros) => string = newRunId,
): (run: NewRun) => Promise<Created> {
  const { kind } = database;
  const insertRun = statement<{ id: string }>(
    kind,
    `insert into pipeline_runs (id, pipeline, state, spec, params, manifest_hash, tick, parent, elsewhere, keep_going,
       cancel_requested, lease_until, epoch, batch, events, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, ?) on conflict do nothing returning id`,
  );
  const insertSteps = statement(
    kind,
    `insert into pipeline_steps (run_id, step, scope, state, next_index, running, retry, succeeded, failed, cancelled)
     select c.run_id, c.step, c.scope, 'waiting', 0, 0, 0, 0, 0, 0 from ${rowsOfJson(kind, { step: 'text', scope: 'text' })}`,
  );
  const names = textsOfJson(kind);
  const copySteps = statement(
    kind,
    `insert into pipeline_steps (run_id, step, scope, state, children, next_index, number_end, running, retry, succeeded, failed,
       cancelled, order_uri, items_uri, placement_uri, error, opened_at, ended_at)
     select cast(? as text), step, scope, state, children, next_index, number_end, running, retry, succeeded, failed, cancelled,
       order_uri, items_uri, placement_uri, error, opened_at, ended_at
     from pipeline_steps where run_id = ? and step in (select value from ${names})`,
  );
  const copyTasks = statement(
    kind,
    `insert into pipeline_tasks (run_id, step, scope, item_index, state, attempt, failures, losses, not_before, output, output_blob,
       error, copied_from, code, started_at, ended_at)
     select cast(? as text), step, scope, item_index, state, attempt, failures, losses, not_before, output, output_blob, error,
       coalesce(copied_from, run_id), code, started_at, ended_at
     from pipeline_tasks where run_id = ? and step in (select value from ${names})`,
  );
  const find = statement<{ id: string }>(
    kind,
    'select id from pipeline_runs where id = ? or (pipeline = ? and tick = ?)',
  );
  const addEvent = createEventWriter(kind);

  /** Undefined where the id that was minted for it is another run's. */
  const tryToCreate = (run: NewRun): Promise<Created | undefined> =>
    database.transaction<unknown, Created | undefined>(async (trx) => {
      const {
        id = mintId(clock.nowMicros()),
        pipeline,
        params,
        manifestHash,
        tick = null,
        parent = null,
        elsewhere = null,
        createdAt: at = clock.nowMicros(),
        keepGoing,
        state,
        steps,
        copies,
        trigger,
      } = run;
      const [spec, given] = [stringifyJson(pipeline), stringifyJson(params)];
      const { rows } = await insertRun(
        trx,
        id,
        pipeline.name,
        state,
        spec,
        given,
        manifestHash,
        tick,
        parent,
        elsewhere,
        keepGoing ? 1 : 0,
        at,
      );
      if (rows.length === 0) {
        const first = (await find(trx, run.id ?? '', pipeline.name, tick)).rows[0];
        return first && { id: first.id, isNew: false };
      }
      if (steps.length > 0) await insertSteps(trx, id, JSON.stringify(steps.map(({ step, scope }) => [step, scope])));
      if (copies !== undefined) {
        const copied = JSON.stringify(copies.steps);
        await copySteps(trx, id, copies.run, copied);
        await copyTasks(trx, id, copies.run, copied);
      }
      await addEvent(trx, id, at, 'created', trigger === undefined ? undefined : stringifyJson(trigger));
      return { id, isNew: true };
    });

  return async (run) => {
    for (;;) {
      const created = await tryToCreate(run);
      if (created !== undefined) return created;
    }
  };
}
