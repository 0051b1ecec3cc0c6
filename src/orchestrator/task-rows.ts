// Tasks as rows: claimed under a lease, committed by whoever holds the attempt number, and by nobody else.

import { type Micros } from '../core/index.ts';
import type { Database } from '../storage/index.ts';
import { LEASE_MICROS } from './lease.ts';
import { addEvent, changeRun, type Tables, tables } from './run-rows.ts';
import type { StepRow, TaskRow } from './run-tables.ts';

/** A task in hand. */
export interface Claim {
  readonly runId: string;
  readonly step: string;
  readonly index: number;
  readonly attempt: number;
  readonly failures: number;
  readonly owner: string;
}

/** Opens a waiting step for its children; with none it has succeeded at once. */
export async function openStep(
  database: Database,
  at: { readonly runId: string; readonly step: string; readonly children: number; readonly now: Micros },
): Promise<void> {
  await changeRun(database, at.runId, async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('orchestrator_steps')
      .set({ state: at.children === 0 ? 'succeeded' : 'open', children: at.children })
      .where('run_id', '=', at.runId)
      .where('step', '=', at.step)
      .where('state', '=', 'waiting')
      .executeTakeFirst();
    if (Number(numUpdatedRows) === 0) return; // another worker was first
    await addEvent(trx, {
      run_id: at.runId,
      at: at.now,
      kind: 'step opened',
      step: at.step,
      message: `${at.children} tasks`,
    });
  });
}

/** Claims up to `limit` tasks of an open step: those to be tried again first, then ones never claimed. */
export async function claimTasks(
  database: Database,
  from: {
    readonly runId: string;
    readonly step: string;
    readonly owner: string;
    readonly now: Micros;
    readonly limit: number;
  },
): Promise<readonly Claim[]> {
  return await changeRun(database, from.runId, async (trx) => {
    const again = await trx
      .selectFrom('orchestrator_tasks')
      .selectAll()
      .where('run_id', '=', from.runId)
      .where('step', '=', from.step)
      .where('state', '=', 'retry')
      .where('not_before', '<=', from.now)
      .orderBy('item_index')
      .limit(from.limit)
      .execute();
    const claims: Claim[] = [];
    for (const row of again) claims.push(await reclaim(trx, row, from));
    return [...claims, ...(await claimFresh(trx, { ...from, limit: from.limit - claims.length }))];
  });
}

type ClaimFrom = Parameters<typeof claimTasks>[1];

async function reclaim(trx: Tables, row: TaskRow, from: ClaimFrom): Promise<Claim> {
  const attempt = row.attempt + 1;
  await trx
    .updateTable('orchestrator_tasks')
    .set({
      state: 'running',
      attempt,
      lease_owner: from.owner,
      lease_until: from.now + LEASE_MICROS,
      started_at: from.now,
      finished_at: null,
    })
    .where('run_id', '=', row.run_id)
    .where('step', '=', row.step)
    .where('item_index', '=', row.item_index)
    .execute();
  const claim = {
    runId: row.run_id,
    step: row.step,
    index: row.item_index,
    attempt,
    failures: row.failures,
    owner: from.owner,
  };
  await addTaskEvent(trx, claim, 'claimed', from.now);
  return claim;
}

async function claimFresh(trx: Tables, from: ClaimFrom): Promise<Claim[]> {
  const step = await stepRow(trx, from.runId, from.step);
  const count = Math.min(from.limit, (step?.children ?? 0) - (step?.next_index ?? 0));
  if (step === undefined || step.state !== 'open' || count <= 0) return [];
  await trx
    .updateTable('orchestrator_steps')
    .set({ next_index: step.next_index + count })
    .where('run_id', '=', from.runId)
    .where('step', '=', from.step)
    .execute();
  const claims = Array.from({ length: count }, (_, offset) => ({
    runId: from.runId,
    step: from.step,
    index: step.next_index + offset,
    attempt: 1,
    failures: 0,
    owner: from.owner,
  }));
  await trx
    .insertInto('orchestrator_tasks')
    .values(
      claims.map((claim) => ({
        run_id: claim.runId,
        step: claim.step,
        item_index: claim.index,
        state: 'running' as const,
        attempt: 1,
        failures: 0,
        lease_owner: from.owner,
        lease_until: from.now + LEASE_MICROS,
        not_before: 0,
        output: null,
        error: null,
        started_at: from.now,
        finished_at: null,
      })),
    )
    .execute();
  for (const claim of claims) await addTaskEvent(trx, claim, 'claimed', from.now);
  return claims;
}

/** Commits a task's output, which is stored already. Gives false when the attempt is no longer the task's. */
export async function commitTask(database: Database, claim: Claim, output: string, now: Micros): Promise<boolean> {
  return await changeRun(database, claim.runId, async (trx) => {
    const change = { state: 'succeeded' as const, output, error: null, lease_owner: null, finished_at: now };
    if (!(await updateHeld(trx, claim, change))) return false;
    await addTaskEvent(trx, claim, 'succeeded', now);
    await trx
      .updateTable('orchestrator_steps')
      .set((expression) => ({ finished: expression('finished', '+', 1) }))
      .where('run_id', '=', claim.runId)
      .where('step', '=', claim.step)
      .execute();
    const step = await stepRow(trx, claim.runId, claim.step);
    if (step !== undefined && step.finished === step.children) await setStepState(trx, claim, 'succeeded');
    return true;
  });
}

/** Gives a failed attempt back, to be tried again from `retryAt` on, or for good. False as in `commitTask`. */
export async function failTask(
  database: Database,
  claim: Claim,
  failure: { readonly error: string; readonly retryAt: Micros | null; readonly now: Micros },
): Promise<boolean> {
  return await changeRun(database, claim.runId, async (trx) => {
    const change = {
      state: failure.retryAt === null ? ('failed' as const) : ('retry' as const),
      failures: claim.failures + 1,
      not_before: failure.retryAt ?? 0,
      error: failure.error,
      lease_owner: null,
      finished_at: failure.now,
    };
    if (!(await updateHeld(trx, claim, change))) return false;
    await addTaskEvent(trx, claim, failure.retryAt === null ? 'failed' : 'will retry', failure.now, failure.error);
    if (failure.retryAt === null) await setStepState(trx, claim, 'failed');
    return true;
  });
}

/** Ends a task that was stopped, not failed: `cancelled`, or `retry` where the run goes on another day. */
export async function stopTask(
  database: Database,
  claim: Claim,
  state: 'cancelled' | 'retry',
  now: Micros,
): Promise<void> {
  await changeRun(database, claim.runId, async (trx) => {
    const change = { state, lease_owner: null, finished_at: now };
    if (await updateHeld(trx, claim, change)) await addTaskEvent(trx, claim, 'stopped', now);
  });
}

/** The outputs of a step's tasks, in the order of its children. */
export async function stepOutputs(database: Database, runId: string, step: string): Promise<readonly string[]> {
  const rows = await tables(database)
    .selectFrom('orchestrator_tasks')
    .select('output')
    .where('run_id', '=', runId)
    .where('step', '=', step)
    .where('state', '=', 'succeeded')
    .orderBy('item_index')
    .execute();
  return rows.flatMap((row) => (row.output === null ? [] : [row.output]));
}

/** When the next task that waits for another try may be claimed; undefined when none waits. */
export async function nextRetryAt(database: Database, runId: string): Promise<Micros | undefined> {
  const row = await tables(database)
    .selectFrom('orchestrator_tasks')
    .select((expression) => expression.fn.min('not_before').as('at'))
    .where('run_id', '=', runId)
    .where('state', '=', 'retry')
    .executeTakeFirst();
  return row?.at === null || row === undefined ? undefined : row.at;
}

async function updateHeld(trx: Tables, claim: Claim, change: Partial<TaskRow>): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('orchestrator_tasks')
    .set(change)
    .where('run_id', '=', claim.runId)
    .where('step', '=', claim.step)
    .where('item_index', '=', claim.index)
    .where('attempt', '=', claim.attempt)
    .where('state', '=', 'running')
    .executeTakeFirst();
  return Number(numUpdatedRows) === 1;
}

async function setStepState(trx: Tables, claim: Claim, state: StepRow['state']): Promise<void> {
  await trx
    .updateTable('orchestrator_steps')
    .set({ state })
    .where('run_id', '=', claim.runId)
    .where('step', '=', claim.step)
    .execute();
}

async function stepRow(trx: Tables, runId: string, step: string): Promise<StepRow | undefined> {
  return await trx
    .selectFrom('orchestrator_steps')
    .selectAll()
    .where('run_id', '=', runId)
    .where('step', '=', step)
    .executeTakeFirst();
}

async function addTaskEvent(trx: Tables, claim: Claim, kind: string, at: Micros, message?: string): Promise<void> {
  await addEvent(trx, {
    run_id: claim.runId,
    at,
    kind,
    step: claim.step,
    item_index: claim.index,
    attempt: claim.attempt,
    message: message ?? null,
  });
}
