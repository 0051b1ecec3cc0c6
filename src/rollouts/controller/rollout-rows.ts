// Rollouts in and out of their table. Every write names the version of the row that it was decided by: of two who decide at
// once only one is right.

import type { Kysely } from 'kysely';
import { canonicalJson, HeadraceError, type Micros, withoutKeySecrets } from '../../core/index.ts';
import type { RegistryDb } from '../../registry/index.ts';
import type { RolloutPlan } from './plan.ts';
import type { Guardrail, Phase, Rollout, RolloutEvent, RolloutState } from './rollout.ts';
import type { RolloutTables } from './tables.ts';

export type RolloutDb = Kysely<RolloutTables>;

/** What a write changes; the rest stays. */
export type RolloutChange = Partial<
  Omit<Rollout, 'id' | 'endpoint' | 'candidate' | 'stable' | 'plan' | 'stateVersion' | 'createdMicros' | 'createdBy'>
>;

export interface Happened {
  readonly atMicros: Micros;
  readonly actor: string;
  readonly reason: string | null;
  /** What it was decided by. */
  readonly evidence?: readonly Guardrail[];
}

/** The rollout's tables in somebody's open transaction on the same database. */
export function tablesIn(trx: RegistryDb | Kysely<unknown>): RolloutDb {
  // Whoever asks has migrated them.
  return trx as unknown as RolloutDb;
}

/** Newest first. */
export async function readRollouts(
  db: RolloutDb,
  filter: {
    readonly endpoint?: string;
    /** Of these alone. */
    readonly endpoints?: ReadonlySet<string> | undefined;
    readonly isLive?: boolean;
    readonly limit?: number;
  } = {},
): Promise<Rollout[]> {
  if (filter.endpoints?.size === 0) return [];
  let query = db.selectFrom('rollouts').selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc');
  if (filter.endpoint !== undefined) query = query.where('endpoint', '=', filter.endpoint);
  if (filter.endpoints !== undefined) query = query.where('endpoint', 'in', [...filter.endpoints]);
  if (filter.isLive === true) query = query.where('ended_at', 'is', null);
  if (filter.limit !== undefined) query = query.limit(filter.limit);
  return (await query.execute()).map(toRollout);
}

export async function findRollout(db: RolloutDb, id: string): Promise<Rollout | undefined> {
  const row = await db.selectFrom('rollouts').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? undefined : toRollout(row);
}

export async function readEvents(db: RolloutDb, id: string): Promise<RolloutEvent[]> {
  const rows = await db.selectFrom('rollout_events').selectAll().where('rollout', '=', id).orderBy('id').execute();
  return rows.map(({ at, from_state, to_state, reason, actor }) => ({
    atMicros: at,
    // `writeTransition` wrote both.
    from: from_state as RolloutState | null,
    to: to_state as RolloutState,
    reason,
    actor,
  }));
}

export async function insertRollout(db: RolloutDb, rollout: Rollout, happened: Happened): Promise<void> {
  await db.insertInto('rollouts').values(toRow(rollout)).execute();
  await writeEvent(db, rollout.id, null, rollout.state, happened);
}

/** The row's next version and what happened. Throws HR_CONFLICT where the row is another by now: nothing may be committed then. */
export async function writeTransition(
  db: RolloutDb,
  before: Rollout,
  change: RolloutChange & { readonly state: RolloutState },
  happened: Happened,
): Promise<void> {
  await update(db, before, { reason: happened.reason, ...change }, before.stateVersion + 1);
  await writeEvent(db, before.id, before.state, change.state, happened);
}

/** How far it is, without a transition. Throws HR_CONFLICT as above. */
export function writeProgress(db: RolloutDb, before: Rollout, change: RolloutChange): Promise<void> {
  return update(db, before, change, before.stateVersion);
}

async function update(db: RolloutDb, before: Rollout, change: RolloutChange, stateVersion: number): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('rollouts')
    .set(toRow({ ...before, ...change, stateVersion }))
    .where('id', '=', before.id)
    .where('state_version', '=', before.stateVersion)
    .where('lease_epoch', '=', before.leaseEpoch)
    .executeTakeFirst();
  if (numUpdatedRows === 1n) return;
  throw new HeadraceError('HR_CONFLICT', `rollout ${before.id} was changed by another meanwhile; look at it again`);
}

async function writeEvent(
  db: RolloutDb,
  rollout: string,
  from: RolloutState | null,
  to: RolloutState,
  { atMicros, actor, reason, evidence }: Happened,
): Promise<void> {
  await db
    .insertInto('rollout_events')
    .values({
      rollout,
      at: atMicros,
      from_state: from,
      to_state: to,
      reason: reason === null ? null : withoutKeySecrets(reason),
      actor: withoutKeySecrets(actor),
      evidence: evidence === undefined ? null : canonicalJson(evidence),
    })
    .execute();
}

function toRow(rollout: Rollout): RolloutTables['rollouts'] {
  return {
    id: rollout.id,
    endpoint: rollout.endpoint,
    candidate: rollout.candidate,
    stable: rollout.stable,
    stable_name: rollout.stableName,
    candidate_name: rollout.candidateName,
    plan: canonicalJson(rollout.plan),
    state: rollout.state,
    step: rollout.step,
    state_version: rollout.stateVersion,
    lease_epoch: rollout.leaseEpoch,
    revision: rollout.revision,
    phases: canonicalJson(rollout.phases),
    held_micros: rollout.heldMicros,
    step_micros: rollout.stepMicros,
    blind_micros: rollout.blindMicros,
    looked_at: rollout.lookedMicros,
    reason: rollout.reason === null ? null : withoutKeySecrets(rollout.reason),
    guardrails: canonicalJson(rollout.guardrails),
    paused_from: rollout.pausedFrom,
    paused_by: rollout.pausedBy,
    slow_limit: rollout.slowLimitMicros,
    slow_set_at: rollout.slowSetMicros,
    created_at: rollout.createdMicros,
    created_by: withoutKeySecrets(rollout.createdBy),
    ended_at: rollout.endedMicros,
  };
}

function toRollout(row: RolloutTables['rollouts']): Rollout {
  return {
    id: row.id,
    endpoint: row.endpoint,
    candidate: row.candidate,
    stable: row.stable,
    stableName: row.stable_name,
    candidateName: row.candidate_name,
    // `toRow` wrote these from values of their types; large evidence is no whole number.
    plan: JSON.parse(row.plan) as RolloutPlan,
    state: row.state as RolloutState,
    step: row.step,
    stateVersion: row.state_version,
    leaseEpoch: row.lease_epoch,
    revision: row.revision,
    phases: JSON.parse(row.phases) as Phase[],
    heldMicros: row.held_micros,
    stepMicros: row.step_micros,
    blindMicros: row.blind_micros,
    lookedMicros: row.looked_at,
    reason: row.reason,
    guardrails: JSON.parse(row.guardrails) as Guardrail[],
    pausedFrom: row.paused_from as RolloutState | null,
    pausedBy: row.paused_by as Rollout['pausedBy'],
    slowLimitMicros: row.slow_limit,
    slowSetMicros: row.slow_set_at,
    createdMicros: row.created_at,
    createdBy: row.created_by,
    endedMicros: row.ended_at,
  };
}
