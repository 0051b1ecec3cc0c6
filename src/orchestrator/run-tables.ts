// The orchestrator's tables: a run, its steps, the tasks that were ever claimed, and an append-only list of events.
// A `foreach` is its step's number of children and a cursor; a child has a row from its first claim on, so that
// opening a step costs the same for 2 and for 20,000 children.

import type { Kysely } from 'kysely';
import type { Migration } from '../storage/index.ts';

export type RunState = 'running' | 'succeeded' | 'failed' | 'cancelled';
export type StepState = 'waiting' | 'open' | 'succeeded' | 'failed';
/** `retry`: will be claimed again, once `not_before` has passed. */
export type TaskState = 'running' | 'retry' | 'succeeded' | 'failed' | 'cancelled';

export interface RunRow {
  readonly id: string;
  readonly pipeline: string;
  readonly state: RunState;
  /** The PipelineSpec and parameters it was started with, as JSON. */
  readonly spec: string;
  readonly params: string;
  readonly manifest_hash: string;
  readonly error: string | null;
  readonly cancel_requested: number;
  readonly lease_owner: string | null;
  readonly lease_until: number;
  readonly created_at: number;
  readonly finished_at: number | null;
}

export interface StepRow {
  readonly run_id: string;
  readonly step: string;
  readonly position: number;
  readonly state: StepState;
  /** Known from when the step opens. */
  readonly children: number | null;
  /** Children from here on were never claimed. */
  readonly next_index: number;
  readonly finished: number;
}

export interface TaskRow {
  readonly run_id: string;
  readonly step: string;
  readonly item_index: number;
  readonly state: TaskState;
  /** The fencing token: grows with each claim, and only its holder may commit. */
  readonly attempt: number;
  /** Failures since the run was started or resumed: what `retry` counts. */
  readonly failures: number;
  readonly lease_owner: string | null;
  readonly lease_until: number;
  readonly not_before: number;
  /** The blob of the task's output. */
  readonly output: string | null;
  readonly error: string | null;
  readonly started_at: number;
  readonly finished_at: number | null;
}

export interface EventRow {
  /** Given by the database. */
  readonly id?: number;
  readonly run_id: string;
  readonly at: number;
  readonly kind: string;
  readonly step: string | null;
  readonly item_index: number | null;
  readonly attempt: number | null;
  readonly message: string | null;
}

export interface OrchestratorTables {
  orchestrator_runs: RunRow;
  orchestrator_steps: StepRow;
  orchestrator_tasks: TaskRow;
  orchestrator_events: EventRow;
}

export const orchestratorMigrations: readonly Migration[] = [
  {
    name: '0001-runs',
    async up(db, kind) {
      await createRuns(db);
      await createSteps(db);
      await createTasks(db);
      await db.schema
        .createTable('orchestrator_events')
        .addColumn('id', kind === 'postgres' ? 'bigserial' : 'integer', (column) => column.primaryKey())
        .addColumn('run_id', 'text', (column) => column.notNull())
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('step', 'text')
        .addColumn('item_index', 'integer')
        .addColumn('attempt', 'integer')
        .addColumn('message', 'text')
        .execute();
      await db.schema
        .createIndex('orchestrator_events_run')
        .on('orchestrator_events')
        .columns(['run_id', 'id'])
        .execute();
    },
  },
];

async function createRuns(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('orchestrator_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('pipeline', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('spec', 'text', (column) => column.notNull())
    .addColumn('params', 'text', (column) => column.notNull())
    .addColumn('manifest_hash', 'text', (column) => column.notNull())
    .addColumn('error', 'text')
    .addColumn('cancel_requested', 'integer', (column) => column.notNull())
    .addColumn('lease_owner', 'text')
    .addColumn('lease_until', 'bigint', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .execute();
  await db.schema.createIndex('orchestrator_runs_created').on('orchestrator_runs').column('created_at').execute();
}

async function createSteps(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('orchestrator_steps')
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('step', 'text', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('children', 'integer')
    .addColumn('next_index', 'integer', (column) => column.notNull())
    .addColumn('finished', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('orchestrator_steps_key', ['run_id', 'step'])
    .execute();
}

async function createTasks(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('orchestrator_tasks')
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('step', 'text', (column) => column.notNull())
    .addColumn('item_index', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('failures', 'integer', (column) => column.notNull())
    .addColumn('lease_owner', 'text')
    .addColumn('lease_until', 'bigint', (column) => column.notNull())
    .addColumn('not_before', 'bigint', (column) => column.notNull())
    .addColumn('output', 'text')
    .addColumn('error', 'text')
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .addPrimaryKeyConstraint('orchestrator_tasks_key', ['run_id', 'step', 'item_index'])
    .execute();
  await db.schema
    .createIndex('orchestrator_tasks_state')
    .on('orchestrator_tasks')
    .columns(['run_id', 'state', 'step'])
    .execute();
}
