// The tables of rollouts: a row each, which is all that a controller goes on from, and what happened to it.

import type { Kysely } from 'kysely';
import type { Database, DatabaseKind, Migration, RowsOwner } from '../../storage/index.ts';

export interface RolloutTables {
  rollouts: {
    id: string;
    endpoint: string;
    candidate: number;
    stable: number;
    stable_name: string;
    candidate_name: string;
    /** JSON of `RolloutPlan`, pinned. */
    plan: string;
    state: string;
    step: number;
    state_version: number;
    lease_epoch: number;
    revision: number | null;
    /** JSON of `Phase`s. */
    phases: string;
    held_micros: number;
    step_micros: number;
    blind_micros: number;
    looked_at: number | null;
    reason: string | null;
    /** JSON of `Guardrail`s, as they were seen last; after a breach, what breached. */
    guardrails: string;
    paused_from: string | null;
    paused_by: string | null;
    slow_limit: number | null;
    slow_set_at: number | null;
    created_at: number;
    created_by: string;
    ended_at: number | null;
  };
  rollout_events: {
    /** Given by the database. */
    id?: number;
    rollout: string;
    at: number;
    from_state: string | null;
    to_state: string;
    reason: string | null;
    actor: string;
    /** JSON of the guardrails that it was decided by; null where it was not by them. */
    evidence: string | null;
    /** 1 once whoever tells of rollouts has taken it; the database's default is 0. */
    told?: number;
  };
}

const migrations: readonly Migration[] = [
  { name: '0001-rollouts', up: createTables },
  {
    name: '0002-told',
    async up(db) {
      await db.schema
        .alterTable('rollout_events')
        .addColumn('told', 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
      // Of what happened before nobody is told now. The owner's own tables.
      await (db as Kysely<RolloutTables>).updateTable('rollout_events').set({ told: 1 }).execute();
      await db.schema.createIndex('rollout_events_told').on('rollout_events').columns(['told', 'id']).execute();
    },
  },
];

export function migrateRollouts(database: Database): Promise<Database> {
  return database.migrate('rollouts', migrations);
}

/** Rows that name no objects; epochs are those of leases, which a backup holds too. */
export const rolloutRows: RowsOwner = { table: 'rollouts' };

async function createTables(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  await db.schema
    .createTable('rollouts')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('endpoint', 'text', (column) => column.notNull())
    .addColumn('candidate', 'bigint', (column) => column.notNull())
    .addColumn('stable', 'bigint', (column) => column.notNull())
    .addColumn('stable_name', 'text', (column) => column.notNull())
    .addColumn('candidate_name', 'text', (column) => column.notNull())
    .addColumn('plan', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('step', 'integer', (column) => column.notNull())
    .addColumn('state_version', 'bigint', (column) => column.notNull())
    .addColumn('lease_epoch', 'bigint', (column) => column.notNull())
    .addColumn('revision', 'bigint')
    .addColumn('phases', 'text', (column) => column.notNull())
    .addColumn('held_micros', 'bigint', (column) => column.notNull())
    .addColumn('step_micros', 'bigint', (column) => column.notNull())
    .addColumn('blind_micros', 'bigint', (column) => column.notNull())
    .addColumn('looked_at', 'bigint')
    .addColumn('reason', 'text')
    .addColumn('guardrails', 'text', (column) => column.notNull())
    .addColumn('paused_from', 'text')
    .addColumn('paused_by', 'text')
    .addColumn('slow_limit', 'bigint')
    .addColumn('slow_set_at', 'bigint')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('ended_at', 'bigint')
    .execute();
  await db.schema.createIndex('rollouts_endpoint').on('rollouts').columns(['endpoint', 'created_at']).execute();
  await db.schema
    .createTable('rollout_events')
    .addColumn('id', kind === 'sqlite' ? 'integer' : 'bigserial', (column) =>
      kind === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey(),
    )
    .addColumn('rollout', 'text', (column) => column.notNull().references('rollouts.id'))
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('from_state', 'text')
    .addColumn('to_state', 'text', (column) => column.notNull())
    .addColumn('reason', 'text')
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('evidence', 'text')
    .execute();
  await db.schema.createIndex('rollout_events_rollout').on('rollout_events').columns(['rollout', 'id']).execute();
}
