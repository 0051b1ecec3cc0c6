// Runs of the orchestrator's earlier tables, brought over once, by the migration that puts these tables in their place.

import { sql } from 'kysely';
import { clockText, type DatabaseKind } from '../../storage/index.ts';
import { LEASE_MICROS } from '../lease.ts';
import type { Db } from './statement.ts';

/**
 * Copies all runs of `orchestrator_runs` and what is theirs, in the transaction that `db` is of; does nothing where that table is
 * not there. What ran or had opened is to be done anew: an earlier driver's tasks have no slice, and its steps no order. A run that is
 * driven stays its driver's for the rest of a lease.
 */
export async function copyOldRuns(db: Db, kind: DatabaseKind): Promise<void> {
  const tables = await db.introspection.getTables();
  if (!tables.some(({ name }) => name === 'orchestrator_runs')) return;
  for (const statement of statements(kind)) await sql.raw(statement).execute(db);
}

function statements(kind: DatabaseKind): readonly string[] {
  const least = kind === 'postgres' ? 'least' : 'min';
  const until = `case when lease_owner is null then 0 else ${least}(lease_until, ${clockText(kind)} + ${LEASE_MICROS}) end`;
  const counted = (...states: readonly string[]): string =>
    `count(case when t.state in (${states.map((state) => `'${state}'`).join(', ')}) then 1 end)`;
  return [
    `insert into pipeline_runs (id, pipeline, state, spec, params, manifest_hash, keep_going, cancel_requested, error, driver,
       lease_until, epoch, batch, events, created_at, started_at, ended_at)
     select id, pipeline, state, spec, params, manifest_hash, 0, cancel_requested, error, lease_owner, ${until}, 1, 0,
       (select count(*) from orchestrator_events e where e.run_id = r.id), created_at, created_at, finished_at
     from orchestrator_runs r`,
    `insert into pipeline_steps (run_id, step, scope, state, children, next_index, running, retry, succeeded, failed, cancelled,
       opened_at, ended_at)
     select s.run_id, s.step, '', case when s.state = 'open' then 'waiting' else s.state end, s.children, s.next_index, 0,
       ${counted('running', 'retry')}, ${counted('succeeded')}, ${counted('failed')}, ${counted('cancelled')},
       min(t.started_at), case when s.state in ('succeeded', 'failed') then max(t.finished_at) end
     from orchestrator_steps s left join orchestrator_tasks t on t.run_id = s.run_id and t.step = s.step
     group by s.run_id, s.step, s.state, s.children, s.next_index`,
    `insert into pipeline_tasks (run_id, step, scope, item_index, state, attempt, failures, losses, not_before, output_blob, error,
       started_at, ended_at)
     select run_id, step, '', item_index, case when state = 'running' then 'retry' else state end, attempt, failures, 0,
       not_before, output, error, started_at, finished_at
     from orchestrator_tasks`,
    `insert into pipeline_events (run_id, number, at, kind, step, scope, item_index, count, attempt, message)
     select run_id, row_number() over (partition by run_id order by id), at, kind, step,
       case when step is not null then '' end, item_index, case when item_index is not null then 1 end, attempt, message
     from orchestrator_events`,
  ];
}
