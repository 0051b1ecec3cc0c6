// A run's first rows.

import { type Clock, stringifyJson } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import { createEventWriter } from './add-event.ts';
import type { NewRun, RunStore } from './run-store.ts';
import { rowsOfJson, statement } from './statement.ts';

type Created = Awaited<ReturnType<RunStore['create']>>;

export function createRunMaker(database: Database, clock: Clock): (run: NewRun) => Promise<Created> {
  const { kind } = database;
  const insertRun = statement<{ id: string }>(
    kind,
    `insert into pipeline_runs (id, pipeline, state, spec, params, manifest_hash, tick, parent, keep_going, cancel_requested,
       lease_until, epoch, batch, events, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, ?) on conflict do nothing returning id`,
  );
  const insertSteps = statement(
    kind,
    `insert into pipeline_steps (run_id, step, scope, state, next_index, running, retry, succeeded, failed, cancelled)
     select c.run_id, c.step, c.scope, 'waiting', 0, 0, 0, 0, 0, 0 from ${rowsOfJson(kind, { step: 'text', scope: 'text' })}`,
  );
  const find = statement<{ id: string }>(
    kind,
    'select id from pipeline_runs where id = ? or (pipeline = ? and tick = ?)',
  );
  const addEvent = createEventWriter(kind);

  return (run) =>
    database.transaction<unknown, Created>(async (trx) => {
      const at = clock.nowMicros();
      const { id, pipeline, params, manifestHash, tick = null, parent = null, keepGoing, state, steps } = run;
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
        keepGoing ? 1 : 0,
        at,
      );
      if (rows.length === 0) {
        const first = (await find(trx, id, pipeline.name, tick)).rows[0];
        return { id: first?.id ?? id, isNew: false };
      }
      if (steps.length > 0) await insertSteps(trx, id, JSON.stringify(steps.map(({ step, scope }) => [step, scope])));
      await addEvent(trx, id, at, 'created');
      return { id, isNew: true };
    });
}
