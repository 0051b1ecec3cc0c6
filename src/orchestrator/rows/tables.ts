// The tables of runs: a run, its steps with counts by state, the tasks that were ever claimed, the slices that executors were
// given, and what happened. Lists and pictures read runs and steps alone, so that they cost the same whatever ran.

import { type Kysely, sql } from 'kysely';
import type { Database, DatabaseKind, Migration } from '../../storage/index.ts';
import type { RunState, StepState, TaskState } from '../engine/batch.ts';
import { copyOldRuns } from './copy-old-runs.ts';

export interface PipelineTables {
  pipeline_runs: {
    id: string;
    pipeline: string;
    state: RunState;
    /** The PipelineSpec and parameters that it goes by, as JSON. */
    spec: string;
    params: string;
    manifest_hash: string;
    /** The time of its schedule that it is for; one run a pipeline and tick. */
    tick: number | null;
    /** The run that it repeats a part of. */
    parent: string | null;
    /** Who prepared it, where another system drives it: no driver takes it, and its rows are made of its results. */
    elsewhere: string | null;
    keep_going: number;
    cancel_requested: number;
    error: string | null;
    /** Who drives it, until when by the database's clock. Epochs grow with each change of hands: who has an older one writes nothing. */
    driver: string | null;
    lease_until: number;
    epoch: number;
    /** The number of the batch that was written last in this epoch. */
    batch: number;
    /** How many events there are, which is the last one's number. */
    events: number;
    created_at: number;
    started_at: number | null;
    ended_at: number | null;
  };
  pipeline_steps: {
    run_id: string;
    step: string;
    scope: string;
    state: StepState;
    children: number | null;
    next_index: number;
    /** Tasks' numbers end before it; null in rows of earlier versions: they end with the items. */
    number_end: number | null;
    running: number;
    retry: number;
    succeeded: number;
    failed: number;
    cancelled: number;
    order_uri: string | null;
    /** Of a group: where its items lie; of a row of earlier versions, what is known of them. */
    items_uri: string | null;
    /** Where it lies which task is which item's; null where each has the number of its item's place. */
    placement_uri: string | null;
    error: string | null;
    opened_at: number | null;
    ended_at: number | null;
  };
  pipeline_tasks: {
    run_id: string;
    step: string;
    scope: string;
    item_index: number;
    state: TaskState;
    attempt: number;
    failures: number;
    losses: number;
    not_before: number;
    /** JSON; or the SHA-256 of the blob that holds it. */
    output: string | null;
    output_blob: string | null;
    error: string | null;
    copied_from: string | null;
    /** By which code it was begun, as `bundle:<SHA-256>`; null of tasks of earlier versions. */
    code: string | null;
    slice: string | null;
    started_at: number | null;
    ended_at: number | null;
  };
  /** Tasks whose items the run has no more. */
  pipeline_dropped_tasks: PipelineTables['pipeline_tasks'];
  pipeline_slices: {
    run_id: string;
    id: string;
    step: string;
    scope: string;
    executor: string;
    /** Ranges of tasks at one attempt, as JSON: [[index, count, attempt]]. */
    tasks: string;
    submitted_at: number;
  };
  /** What tasks gave, by the hash of all that they went by; of the run that did it last. */
  pipeline_cache: { run_id: string; key: string; output: string | null; output_blob: string | null; at: number };
  /** Slots that a run has of a pool, and wants in all. `size`: how many there are, by its driver's settings. */
  pipeline_pools: { pool: string; run_id: string; slots: number; wanted: number; size: number; since: number };
  pipeline_events: {
    run_id: string;
    /** From 1, in each run. */
    number: number;
    at: number;
    kind: string;
    step: string | null;
    scope: string | null;
    item_index: number | null;
    count: number | null;
    attempt: number | null;
    message: string | null;
  };
}

/** Those of a run's rows that go with it, by the column `run_id`. */
export const TABLES_OF_RUNS = [
  'pipeline_events',
  'pipeline_slices',
  'pipeline_tasks',
  'pipeline_dropped_tasks',
  'pipeline_steps',
  'pipeline_cache',
] as const;

/** Of a task's row. */
export const DROPPED_COLUMNS = [
  'run_id',
  'step',
  'scope',
  'item_index',
  'state',
  'attempt',
  'failures',
  'losses',
  'not_before',
  'output',
  'output_blob',
  'error',
  'copied_from',
  'code',
  'slice',
  'started_at',
  'ended_at',
] as const;

export function migratePipelines(database: Database): Promise<Database> {
  return database.migrate('pipelines', migrations);
}

const migrations: readonly Migration[] = [
  {
    name: '0001-runs',
    async up(db, kind) {
      for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
      await settle(db, kind);
    },
  },
  // Runs of earlier versions.
  { name: '0002-earlier-runs', up: (db, kind) => copyOldRuns(db, kind) },
  {
    name: '0003-cache',
    async up(db) {
      await sql
        .raw(
          `create table pipeline_cache (run_id text not null, key text primary key, output text, output_blob text, at bigint not null)`,
        )
        .execute(db);
      await sql.raw('create index pipeline_cache_run on pipeline_cache (run_id)').execute(db);
    },
  },
  {
    name: '0004-pools',
    async up(db) {
      await sql
        .raw(
          `create table pipeline_pools (pool text not null, run_id text not null, slots integer not null, wanted integer not null,
             size integer not null, since bigint not null, primary key (pool, run_id))`,
        )
        .execute(db);
      await sql.raw('create index pipeline_pools_run on pipeline_pools (run_id)').execute(db);
    },
  },
  {
    name: '0005-elsewhere',
    async up(db) {
      await sql.raw('alter table pipeline_runs add column elsewhere text').execute(db);
    },
  },
  {
    name: '0006-items',
    async up(db) {
      for (const column of ['number_end integer', 'items_uri text', 'placement_uri text'])
        await sql.raw(`alter table pipeline_steps add column ${column}`).execute(db);
      await sql
        .raw(
          `create table pipeline_dropped_tasks (
             run_id text not null, step text not null, scope text not null, item_index integer not null, state text not null,
             attempt integer not null, failures integer not null, losses integer not null, not_before bigint not null, output text,
             output_blob text, error text, copied_from text, slice text, started_at bigint, ended_at bigint)`,
        )
        .execute(db);
      await sql
        .raw(`create index pipeline_events_edited on pipeline_events (run_id, number) where kind = 'edited'`)
        .execute(db);
      await sql
        .raw('create index pipeline_dropped_tasks_run on pipeline_dropped_tasks (run_id, step, scope)')
        .execute(db);
    },
  },
  {
    name: '0007-code',
    async up(db) {
      for (const table of ['pipeline_tasks', 'pipeline_dropped_tasks'])
        await sql.raw(`alter table ${table} add column code text`).execute(db);
    },
  },
];

/**
 * Finished tasks never change, the others are few and change twice or more: they have an index of their own, so that a driver
 * that takes a run over reads none of the finished.
 */
const STATEMENTS = [
  `create table pipeline_runs (
    id text primary key, pipeline text not null, state text not null, spec text not null, params text not null,
    manifest_hash text not null, tick bigint, parent text, keep_going integer not null, cancel_requested integer not null,
    error text, driver text, lease_until bigint not null, epoch bigint not null, batch bigint not null, events bigint not null,
    created_at bigint not null, started_at bigint, ended_at bigint)`,
  'create unique index pipeline_runs_tick on pipeline_runs (pipeline, tick)',
  'create index pipeline_runs_created on pipeline_runs (created_at, id)',
  'create index pipeline_runs_pipeline on pipeline_runs (pipeline, created_at, id)',
  `create index pipeline_runs_going on pipeline_runs (pipeline, state) where state in ('queued', 'running')`,
  `create table pipeline_steps (
    run_id text not null, step text not null, scope text not null, state text not null, children integer,
    next_index integer not null, running integer not null, retry integer not null, succeeded integer not null,
    failed integer not null, cancelled integer not null, order_uri text, error text, opened_at bigint, ended_at bigint,
    primary key (run_id, step, scope))`,
  `create table pipeline_tasks (
    run_id text not null, step text not null, scope text not null, item_index integer not null, state text not null,
    attempt integer not null, failures integer not null, losses integer not null, not_before bigint not null, output text,
    output_blob text, error text, copied_from text, slice text, started_at bigint, ended_at bigint,
    primary key (run_id, step, scope, item_index))`,
  `create index pipeline_tasks_unfinished on pipeline_tasks (run_id, state, step, scope, item_index) where state <> 'succeeded'`,
  `create table pipeline_slices (
    run_id text not null, id text not null, step text not null, scope text not null, executor text not null,
    tasks text not null, submitted_at bigint not null, primary key (run_id, id))`,
  `create table pipeline_events (
    run_id text not null, number bigint not null, at bigint not null, kind text not null, step text, scope text,
    item_index integer, count integer, attempt integer, message text, primary key (run_id, number))`,
];

/** Postgres keeps room for a row's next state beside it, and clears old ones away before they are a fifth of all. */
async function settle(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  if (kind === 'sqlite') return;
  await sql`alter table pipeline_tasks set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)`.execute(db);
  await sql`alter table pipeline_runs set (fillfactor = 50)`.execute(db);
}
