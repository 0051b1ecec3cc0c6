// What others ask of a run: to be cancelled, and to go on. Where nobody drives it the rows change at once, and with them the epoch:
// a driver that only seemed dead writes nothing more. Each time that somebody asks for it to be cancelled is an event of the run, by
// whose number it is told whether that came before or after something else.

import { type Clock, stringifyJson } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';
import type { Database } from '../../storage/index.ts';
import { editsOf } from '../describe-edit.ts';
import { createEventWriter } from './add-event.ts';
import { createCancels, createRowCancels } from './cancel-run.ts';
import { createRegroup } from './regroup-run.ts';
import { CancelledSinceError, createRowLock, leaseLeft, refuseElsewhere, refuseHeld } from './run-lease.ts';
import type { RunStore } from './run-store.ts';
import { type Db, statement, textsOfJson } from './statement.ts';

const CANCEL_ASKED = 'cancel requested';

export function createRequests(database: Database, clock: Clock): Pick<RunStore, 'requestCancel' | 'requestResume'> {
  const { kind } = database;
  const lockRow = createRowLock(kind);
  const addEvent = createEventWriter(kind);
  const askCancel = statement(kind, 'update pipeline_runs set cancel_requested = 1 where id = ?');
  const cancels = createCancels(kind);
  const askedSince = statement(
    kind,
    `select 1 as one from pipeline_events where run_id = ? and number > ? and kind = '${CANCEL_ASKED}' limit 1`,
  );
  const resumeRun = statement(
    kind,
    `update pipeline_runs set state = case when state = 'running' then state else 'queued' end, cancel_requested = 0,
       error = null, driver = null, lease_until = 0, epoch = epoch + 1, ended_at = null, spec = coalesce(?, spec),
       params = coalesce(?, params), manifest_hash = coalesce(?, manifest_hash) where id = ?`,
  );
  const readSpec = statement<{ spec: string }>(kind, 'select spec from pipeline_runs where id = ?');
  const names = textsOfJson(kind);
  const isNamed = `step in (select value from ${names})`;
  const again = `state = 'retry', failures = 0, losses = 0, not_before = 0, ended_at = null`;
  // Steps first: tasks of one that stays skipped stay as they are.
  const resumeTasks = statement(
    kind,
    `update pipeline_tasks set ${again}
     where run_id = ? and state <> 'succeeded' and state in ('failed', 'cancelled', 'retry') and (step, scope) not in
       (select step, scope from pipeline_steps where run_id = ? and state = 'skipped')`,
  );
  const forgetLosses = statement(
    kind,
    `update pipeline_tasks set failures = 0, losses = 0 where run_id = ? and state <> 'succeeded' and state = 'running'`,
  );
  const repeatTasks = statement(
    kind,
    `update pipeline_tasks set ${again}, output = null, output_blob = null, error = null, copied_from = null
     where run_id = ? and state <> 'running'`,
  );
  const tasksAgain = 'retry = retry + failed + cancelled, failed = 0, cancelled = 0';
  // Each that has not succeeded is made ready anew, by the code of now; so is a skipped one, but in an item that is done. Groups side
  // by side have items of the same numbers: `step in` names what lies right in one of them.
  const wait = `state = 'waiting', error = null, ended_at = null`;
  const resumeSkipped = statement(
    kind,
    `update pipeline_steps set ${wait} where run_id = ? and ${isNamed} and state = 'skipped' and (scope = '' or scope in
       (select scope from pipeline_steps where run_id = ? and ${isNamed} and state in ('failed', 'cancelled')))`,
  );
  const resumeSteps = statement(
    kind,
    `update pipeline_steps set ${wait}, ${tasksAgain}
     where run_id = ? and not ${isNamed} and state not in ('succeeded', 'skipped')`,
  );
  // A group counts items: those with something that failed or was cancelled go on once it has opened by the code of now.
  const resumeGroups = statement(
    kind,
    `update pipeline_steps set ${wait}, running = running + failed + cancelled, failed = 0, cancelled = 0
     where run_id = ? and ${isNamed} and state not in ('succeeded', 'skipped')`,
  );
  const repeatSteps = statement(
    kind,
    `update pipeline_steps set ${wait}, retry = retry + failed + cancelled + succeeded, failed = 0, cancelled = 0,
       succeeded = 0 where run_id = ? and not ${isNamed}`,
  );
  const repeatGroups = statement(
    kind,
    `update pipeline_steps set ${wait}, running = next_index, succeeded = 0, failed = 0, cancelled = 0 where run_id = ? and ${isNamed}`,
  );

  // Of what the pipeline has no more nothing would ever end.
  const cancelUnknown = createRowCancels(kind, `and not ${isNamed}`);

  const regroup = createRegroup(kind);

  const resumeRows = async (
    trx: Db,
    id: string,
    { groups = [], steps }: Pick<PipelineSpec, 'groups' | 'steps'>,
    keepDone: boolean,
  ): Promise<void> => {
    const groupNames = namesOf(groups);
    await forgetLosses(trx, id);
    if (keepDone) {
      for (const group of [undefined, ...groups]) {
        const inside = namesOf([...steps, ...groups].filter((node) => node.in === group?.name));
        await resumeSkipped(trx, id, inside, id, inside);
      }
      await resumeSteps(trx, id, groupNames);
      await resumeGroups(trx, id, groupNames);
      await resumeTasks(trx, id, id);
    } else {
      await repeatTasks(trx, id);
      await repeatSteps(trx, id, groupNames);
      await repeatGroups(trx, id, groupNames);
    }
    await cancelUnknown(trx, clock.nowMicros(), id, namesOf([...steps, ...groups]));
  };

  return {
    requestCancel: (id, { reason, onlyQueued = false } = {}) =>
      database.transaction<unknown, boolean>(async (trx) => {
        const row = await lockRow(trx, id);
        const isGoing = row.state === 'queued' || (row.state === 'running' && !onlyQueued);
        if (!isGoing && onlyQueued) return false;
        const at = clock.nowMicros();
        // Of one that is being cancelled, or has ended, too: somebody may wait to go on with it.
        await addEvent(trx, id, at, CANCEL_ASKED, reason);
        if (!isGoing) return false;
        if (leaseLeft(row) === 0 && (await cancels.unlessAtWork(trx, id, at, reason))) return true;
        if (row.cancel_requested === 0) await askCancel(trx, id);
        return true;
      }),
    requestResume: (id, { keepDone, code, asked }) =>
      database.transaction<unknown, boolean>(async (trx) => {
        const row = await lockRow(trx, id);
        refuseElsewhere(row);
        if (row.state === 'succeeded' && keepDone) return false;
        refuseHeld(row);
        if (asked !== undefined && (await askedSince(trx, id, asked)).rows.length > 0)
          throw new CancelledSinceError(id, row.state);
        const { spec = '' } = (await readSpec(trx, id)).rows[0] ?? {};
        const before = JSON.parse(spec) as PipelineSpec; // as it was written by this store
        const now = code?.pipeline ?? before;
        const params = code?.params === undefined ? null : stringifyJson(code.params);
        await resumeRun(trx, code === undefined ? null : stringifyJson(now), params, code?.manifestHash ?? null, id);
        const rowsBefore = code === undefined ? undefined : await regroup.look(trx, id, before);
        if (code !== undefined) await regroup.forget(trx, id, before, now);
        await resumeRows(trx, id, now, keepDone);
        if (rowsBefore !== undefined) await regroup.complete(trx, id, before, now, rowsBefore);
        const at = clock.nowMicros();
        await addEvent(trx, id, at, 'resumed');
        for (const { step, words } of editsOf(before, now)) await addEvent(trx, id, at, 'edited', words, step);
        return true;
      }),
  };
}

function namesOf(nodes: readonly { readonly name: string }[]): string {
  return JSON.stringify(nodes.map(({ name }) => name));
}
