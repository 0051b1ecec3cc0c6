// A run's own row: made, taken over, kept alive, ended. All changes of one run's state pass through here.

import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { HeadraceError, type Micros, stringifyJson } from '../core/index.ts';
import type { PipelineSpec } from '../definitions/index.ts';
import type { Database } from '../storage/index.ts';
import { isLeaseLive, LEASE_MICROS } from './lease.ts';
import {
  type EventRow,
  orchestratorMigrations,
  type OrchestratorTables,
  type RunRow,
  type RunState,
} from './run-tables.ts';

export type Tables = Kysely<OrchestratorTables>;

/** Gives the database that has the tables. */
export function migrateRuns(database: Database): Promise<Database> {
  return database.migrate('orchestrator', orchestratorMigrations);
}

/** Changes of one run, one after another across processes. */
export function changeRun<R>(database: Database, runId: string, work: (trx: Tables) => Promise<R>): Promise<R> {
  return database.transaction<OrchestratorTables, R>(work, { serializedBy: `orchestrator ${runId}` });
}

/** Ids sort by time: 20261125-031500-9f3a61. */
export function newRunId(now: Micros): string {
  const stamp = new Date(now / 1000).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${randomBytes(3).toString('hex')}`;
}

export async function insertRun(
  database: Database,
  run: { readonly id: string; readonly owner: string; readonly now: Micros; readonly manifestHash: string },
  pipeline: PipelineSpec,
  params: Readonly<Record<string, unknown>>,
): Promise<void> {
  await changeRun(database, run.id, async (trx) => {
    await trx
      .insertInto('orchestrator_runs')
      .values({
        id: run.id,
        pipeline: pipeline.name,
        state: 'running',
        spec: stringifyJson(pipeline),
        params: stringifyJson(params),
        manifest_hash: run.manifestHash,
        error: null,
        cancel_requested: 0,
        lease_owner: run.owner,
        lease_until: run.now + LEASE_MICROS,
        created_at: run.now,
        finished_at: null,
      })
      .execute();
    const steps = pipeline.steps.map((step, position) => ({
      run_id: run.id,
      step: step.name,
      position,
      state: 'waiting' as const,
      children: null,
      next_index: 0,
      finished: 0,
    }));
    if (steps.length > 0) await trx.insertInto('orchestrator_steps').values(steps).execute();
    await addEvent(trx, { run_id: run.id, at: run.now, kind: 'started' });
  });
}

export async function requireRun(db: Tables, id: string): Promise<RunRow> {
  const run = await db.selectFrom('orchestrator_runs').selectAll().where('id', '=', id).executeTakeFirst();
  if (run === undefined) {
    throw new HeadraceError('HR_UNKNOWN_RUN', `there is no run "${id}"; \`headrace runs list\` shows them`);
  }
  return run;
}

export function tables(database: Database): Tables {
  return database.tables<OrchestratorTables>();
}

/**
 * Takes an unfinished run over: failed and cancelled tasks, and those that died with their process, may run again;
 * finished ones stay. Gives false when the run has succeeded. Throws HR_CONFLICT while its process is at work.
 */
export async function takeOver(database: Database, id: string, owner: string, now: Micros): Promise<boolean> {
  return await changeRun(database, id, async (trx) => {
    const run = await requireRun(trx, id);
    if (run.state === 'succeeded') return false;
    if (run.state === 'running' && isLeaseLive(run.lease_owner, run.lease_until, now)) {
      throw new HeadraceError(
        'HR_CONFLICT',
        `run ${id} is at work in ${run.lease_owner}; wait for it, or stop it with \`headrace runs cancel ${id}\``,
      );
    }
    await trx
      .updateTable('orchestrator_runs')
      .set({
        state: 'running',
        error: null,
        cancel_requested: 0,
        lease_owner: owner,
        lease_until: now + LEASE_MICROS,
        finished_at: null,
      })
      .where('id', '=', id)
      .execute();
    await trx
      .updateTable('orchestrator_tasks')
      .set({ state: 'retry', failures: 0, not_before: 0, lease_owner: null })
      .where('run_id', '=', id)
      .where('state', '!=', 'succeeded')
      .execute();
    await trx
      .updateTable('orchestrator_steps')
      .set({ state: 'open' })
      .where('run_id', '=', id)
      .where('state', '=', 'failed')
      .execute();
    await addEvent(trx, { run_id: id, at: now, kind: 'resumed' });
    return true;
  });
}

/** Renews the leases of a run and its tasks. `lost`: another process has taken the run over. */
export async function renewLease(
  database: Database,
  id: string,
  owner: string,
  now: Micros,
): Promise<'held' | 'cancelled' | 'lost'> {
  const until = now + LEASE_MICROS;
  const db = tables(database);
  const renewed = await db
    .updateTable('orchestrator_runs')
    .set({ lease_until: until })
    .where('id', '=', id)
    .where('lease_owner', '=', owner)
    .where('state', '=', 'running')
    .returning('cancel_requested')
    .executeTakeFirst();
  if (renewed === undefined) return 'lost';
  await db
    .updateTable('orchestrator_tasks')
    .set({ lease_until: until })
    .where('run_id', '=', id)
    .where('lease_owner', '=', owner)
    .where('state', '=', 'running')
    .execute();
  return renewed.cancel_requested === 1 ? 'cancelled' : 'held';
}

/** Ends a run that the owner still holds; gives up its lease. */
export async function endRun(
  database: Database,
  end: {
    readonly id: string;
    readonly owner: string;
    readonly now: Micros;
    readonly state: RunState;
    readonly error?: string;
  },
): Promise<void> {
  await changeRun(database, end.id, async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('orchestrator_runs')
      .set({ state: end.state, error: end.error ?? null, lease_owner: null, lease_until: 0, finished_at: end.now })
      .where('id', '=', end.id)
      .where('lease_owner', '=', end.owner)
      .executeTakeFirst();
    if (Number(numUpdatedRows) === 1) {
      await addEvent(trx, { run_id: end.id, at: end.now, kind: end.state, message: end.error ?? null });
    }
  });
}

/** Lets go of a run that stays unfinished, to be resumed by whoever comes. */
export async function releaseRun(database: Database, id: string, owner: string, now: Micros): Promise<void> {
  await changeRun(database, id, async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('orchestrator_runs')
      .set({ lease_owner: null, lease_until: 0 })
      .where('id', '=', id)
      .where('lease_owner', '=', owner)
      .executeTakeFirst();
    if (Number(numUpdatedRows) === 1) await addEvent(trx, { run_id: id, at: now, kind: 'interrupted' });
  });
}

/** Asks a run to stop; one that no process drives is cancelled at once. Gives false when it had ended before. */
export async function requestCancel(database: Database, id: string, now: Micros): Promise<boolean> {
  return await changeRun(database, id, async (trx) => {
    const run = await requireRun(trx, id);
    if (run.state !== 'running') return false;
    const isDriven = isLeaseLive(run.lease_owner, run.lease_until, now);
    const change = isDriven ? {} : { state: 'cancelled' as const, lease_owner: null, lease_until: 0, finished_at: now };
    await trx
      .updateTable('orchestrator_runs')
      .set({ cancel_requested: 1, ...change })
      .where('id', '=', id)
      .execute();
    if (!isDriven) {
      await trx
        .updateTable('orchestrator_tasks')
        .set({ state: 'cancelled', lease_owner: null, finished_at: now })
        .where('run_id', '=', id)
        .where('state', 'in', ['running', 'retry'])
        .execute();
    }
    await addEvent(trx, { run_id: id, at: now, kind: isDriven ? 'cancel requested' : 'cancelled' });
    return true;
  });
}

export async function addEvent(
  trx: Tables,
  event: Pick<EventRow, 'run_id' | 'at' | 'kind'> & Partial<Omit<EventRow, 'id'>>,
): Promise<void> {
  await trx
    .insertInto('orchestrator_events')
    .values({ step: null, item_index: null, attempt: null, message: null, ...event })
    .execute();
}
