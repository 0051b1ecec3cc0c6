// Runs as the first version of Headrace left them: its tables, with rows as that wrote them. `half`: driven by a process elsewhere that
// died with a task finished, one failed and one at work, of four; `done`: cancelled.

import { sql } from 'kysely';
import { stringifyJson } from '../../src/core/index.ts';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import type { Database } from '../../src/storage/index.ts';

/** Makes them in a database that has none of them; `pipeline` has the steps fan and end. */
export async function makeOldRuns(database: Database, pipeline: PipelineSpec, driver: string): Promise<void> {
  const id = database.kind === 'postgres' ? 'bigserial primary key' : 'integer primary key';
  const spec = stringifyJson(pipeline);
  const blob = 'a'.repeat(64);
  const statements = [
    `create table orchestrator_runs (id text primary key, pipeline text not null, state text not null, spec text not null,
       params text not null, manifest_hash text not null, error text, cancel_requested integer not null, lease_owner text,
       lease_until bigint not null, created_at bigint not null, finished_at bigint)`,
    `create table orchestrator_steps (run_id text not null, step text not null, position integer not null, state text not null,
       children integer, next_index integer not null, finished integer not null, primary key (run_id, step))`,
    `create table orchestrator_tasks (run_id text not null, step text not null, item_index integer not null, state text not null,
       attempt integer not null, failures integer not null, lease_owner text, lease_until bigint not null,
       not_before bigint not null, output text, error text, started_at bigint not null, finished_at bigint,
       primary key (run_id, step, item_index))`,
    `create table orchestrator_events (id ${id}, run_id text not null, at bigint not null, kind text not null, step text,
       item_index integer, attempt integer, message text)`,
    `insert into orchestrator_runs values
       ('done', 'p', 'cancelled', '${spec}', '{"seed":7}', 'h', null, 0, null, 0, 1000, 1005),
       ('half', 'p', 'running', '${spec}', '{"seed":7}', 'h', null, 0, '${driver}', 60001000, 1000, null)`,
    `insert into orchestrator_steps values ('done', 'fan', 0, 'open', 4, 0, 0), ('done', 'end', 1, 'waiting', null, 0, 0),
       ('half', 'fan', 0, 'failed', 4, 3, 1), ('half', 'end', 1, 'waiting', null, 0, 0)`,
    `insert into orchestrator_tasks values
       ('half', 'fan', 0, 'succeeded', 1, 0, '${driver}', 60001002, 0, '${blob}', null, 1002, 1003),
       ('half', 'fan', 1, 'failed', 1, 1, null, 60001002, 0, null, 'no', 1002, 1004),
       ('half', 'fan', 2, 'running', 1, 0, '${driver}', 60001002, 0, null, null, 1002, null)`,
    `insert into orchestrator_events (run_id, at, kind, step, item_index, attempt, message) values
       ('done', 1000, 'started', null, null, null, null), ('half', 1000, 'started', null, null, null, null),
       ('half', 1001, 'step opened', 'fan', null, null, '4 tasks'), ('half', 1002, 'claimed', 'fan', 0, 1, null),
       ('half', 1002, 'claimed', 'fan', 1, 1, null), ('half', 1002, 'claimed', 'fan', 2, 1, null),
       ('half', 1003, 'succeeded', 'fan', 0, 1, null), ('half', 1004, 'failed', 'fan', 1, 1, 'no')`,
  ];
  for (const statement of statements) await sql.raw(statement).execute(database.tables());
}
