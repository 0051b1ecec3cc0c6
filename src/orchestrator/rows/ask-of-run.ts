// What others ask of a run: to be cancelled, and to go on. Where nobody drives it the rows change at once, and with them the epoch:
// a driver that only seemed dead writes nothing more.

import { type Clock, stringifyJson } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';
import type { Database } from '../../storage/index.ts';
import { createEventWriter } from './add-event.ts';
import { createPoolEnd } from './give-slots-back.ts';
import { createRegroup } from './regroup-run.ts';
import { createRowLock, leaseLeft, refuseElsewhere, refuseHeld } from './run-lease.ts';
import type { RunStore } from './run-store.ts';
import { type Db, statement, textsOfJson } from './statement.ts';

export function createRequests(database: Database, clock: Clock): Pick<RunStore, 'requestCancel' | 'requestResume'> {
  const { kind } = database;
  const lockRow = createRowLock(kind);
  const addEvent = createEventWriter(kind);
  const askCancel = statement(kind, 'update pipeline_runs set cancel_requested = 1 where id = ?');
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
  const endPools = createPoolEnd(kind);
  const cancelTasks = statement(
    kind,
    `update pipeline_tasks set state = 'cancelled', ended_at = ?
     where run_id = ? and state <> 'succeeded' and state in ('running', 'retry')`,
  );
  const cancelSteps = statement(
    kind,
    `update pipeline_steps set state = 'cancelled', cancelled = cancelled + running + retry, running = 0, retry = 0, ended_at = ?
     where run_id = ? and state in ('waiting', 'open')`,
  );
  const resumeRun = statement(
    kind,
    `update pipeline_runs set state = case when state = 'running' then state else 'queued' end, cancel_requested = 0,
       error = null, driver = null, lease_until = 0, epoch = epoch + 1, ended_at = null, spec = coalesce(?, spec),
       params = coalesce(?, params), manifest_hash = coalesce(?, manifest_hash) where id = ?`,
  );
  const readSpec = statement<{ spec: string }>(kind, 'select spec from pipeline_runs where id = ?');
  const names = textsOfJson(kind);
  const isGroup = `step in (select value from ${names})`;
  const again = `state = 'retry', failures = 0, losses = 0, not_before = 0, ended_at = null`;
  const resumeTasks = statement(
    kind,
    `update pipeline_tasks set ${again}
     where run_id = ? and state <> 'succeeded' and state in ('failed', 'cancelled', 'retry')`,
  );
  const forgetLosses = statement(
    kind,
    `update pipeline_tasks set failures = 0, losses = 0 where run_id = ? and state <> 'succeeded' and state = 'running'`,
  );
  const repeatTasks = statement(
    kind,
    `update pipeline_tasks set ${again}, output = null, output_blob = null, error = null, copied_from = null
     where run_id = ? and state = 'succeeded'`,
  );
  const tasksAgain = 'retry = retry + failed + cancelled, failed = 0, cancelled = 0';
  // Each that has not succeeded is made ready anew, by the code of now; so is a skipped one, but in an item that is done.
  const resumeSteps = statement(
    kind,
    `update pipeline_steps set state = 'waiting', ${tasksAgain}, error = null, ended_at = null
     where run_id = ? and not ${isGroup} and (state in ('open', 'failed', 'cancelled') or state = 'skipped' and (scope = '' or scope in
       (select scope from pipeline_steps where run_id = ? and state in ('failed', 'cancelled'))))`,
  );
  // A group counts items: those with something that failed or was cancelled go on once it has opened by the code of now.
  const resumeGroups = statement(
    kind,
    `update pipeline_steps set state = 'waiting', running = running + failed + cancelled, failed = 0, cancelled = 0, error = null, ended_at = null
     where run_id = ? and ${isGroup} and state <> 'succeeded'`,
  );
  const repeatSteps = statement(
    kind,
    `update pipeline_steps set state = 'waiting', retry = retry + failed + cancelled + succeeded, failed = 0, cancelled = 0,
       succeeded = 0, error = null, ended_at = null where run_id = ? and not ${isGroup}`,
  );
  const repeatGroups = statement(
    kind,
    `update pipeline_steps set state = 'waiting', running = next_index, succeeded = 0, failed = 0, cancelled = 0, error = null, ended_at = null where run_id = ? and ${isGroup}`,
  );

  const regroup = createRegroup(kind);

  const resumeRows = async (
    trx: Db,
    id: string,
    { groups = [] }: Pick<PipelineSpec, 'groups'>,
    keepDone: boolean,
  ): Promise<void> => {
    const names = JSON.stringify(groups.map(({ name }) => name));
    await resumeTasks(trx, id);
    await forgetLosses(trx, id);
    if (keepDone) {
      await resumeSteps(trx, id, names, id);
      await resumeGroups(trx, id, names);
    } else {
      await repeatTasks(trx, id);
      await repeatSteps(trx, id, names);
      await repeatGroups(trx, id, names);
    }
  };

  const cancelNow = async (trx: Db, id: string, reason?: string): Promise<void> => {
    const at = clock.nowMicros();
    await cancelRun(trx, at, reason ?? null, id);
    await endPools(trx, id);
    await cancelTasks(trx, at, id);
    await cancelSteps(trx, at, id);
    await addEvent(trx, id, at, 'cancelled', reason);
  };

  return {
    requestCancel: (id, { reason, onlyQueued = false } = {}) =>
      database.transaction<unknown, boolean>(async (trx) => {
        const row = await lockRow(trx, id);
        if (row.state !== 'queued' && (row.state !== 'running' || onlyQueued)) return false;
        const isDriven = leaseLeft(row) > 0 || (await runsElsewhere(trx, id, id)).rows.length > 0;
        if (!isDriven) {
          await cancelNow(trx, id, reason);
        } else if (row.cancel_requested === 0) {
          await askCancel(trx, id);
          await addEvent(trx, id, clock.nowMicros(), 'cancel requested', reason);
        }
        return true;
      }),
    requestResume: (id, { keepDone, code }) =>
      database.transaction<unknown, boolean>(async (trx) => {
        const row = await lockRow(trx, id);
        refuseElsewhere(row);
        if (row.state === 'succeeded' && keepDone) return false;
        refuseHeld(row);
        const { spec = '' } = (await readSpec(trx, id)).rows[0] ?? {};
        const before = JSON.parse(spec) as PipelineSpec; // as it was written by this store
        const now = code?.pipeline ?? before;
        const params = code?.params === undefined ? null : stringifyJson(code.params);
        await resumeRun(trx, code === undefined ? null : stringifyJson(now), params, code?.manifestHash ?? null, id);
        if (code !== undefined) await regroup.forget(trx, id, before, now);
        await resumeRows(trx, id, now, keepDone);
        if (code !== undefined) await regroup.complete(trx, id, before, now);
        await addEvent(trx, id, clock.nowMicros(), 'resumed');
        return true;
      }),
  };
}
