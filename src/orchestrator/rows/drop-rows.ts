// Tasks whose items a run has no more: their rows are kept apart, where nothing of the run is read from.

import type { DatabaseKind } from '../../storage/index.ts';
import type { DroppedTasks } from '../engine/batch.ts';
import { scopeInside } from '../engine/graph.ts';
import { type Db, rowsOfJson, statement } from './statement.ts';
import { DROPPED_COLUMNS } from './tables.ts';

/** In the transaction of the batch that says so, after its other rows. */
export function createDrops(
  kind: DatabaseKind,
): (trx: Db, id: string, dropped: readonly DroppedTasks[]) => Promise<void> {
  const others = DROPPED_COLUMNS.filter((column) => column !== 'state').join(', ');
  // What ran of them is being ended, and nobody hears how.
  const keep = (from: string, where: string): string =>
    `insert into pipeline_dropped_tasks (state, ${others})
     select case when t.state in ('running', 'retry') then 'cancelled' else t.state end,
       ${DROPPED_COLUMNS.filter((column) => column !== 'state')
         .map((column) => `t.${column}`)
         .join(', ')}
     from ${from} join pipeline_tasks t on t.run_id = c.run_id and ${where}`;
  const remove = (table: string, from: string, where: string): string =>
    `delete from ${table} where (run_id, step, scope${table === 'pipeline_tasks' ? ', item_index' : ''}) in
       (select t.run_id, t.step, t.scope${table === 'pipeline_tasks' ? ', t.item_index' : ''} from ${from}
        join ${table} t on t.run_id = c.run_id and ${where})`;
  const numbers = rowsOfJson(kind, { step: 'text', scope: 'text', first: 'integer', last: 'integer' });
  const isNumber = 't.step = c.step and t.scope = c.scope and t.item_index between c.first and c.last';
  const scopes = rowsOfJson(kind, { step: 'text', scope: 'text' });
  const isInside = `t.step = c.step and (t.scope = c.scope or t.scope like c.scope || '/%')`;
  const ofStep = [keep(numbers, isNumber), remove('pipeline_tasks', numbers, isNumber)].map((text) =>
    statement(kind, text),
  );
  const ofItems = [
    keep(scopes, isInside),
    remove('pipeline_tasks', scopes, isInside),
    remove('pipeline_steps', scopes, isInside),
  ].map((text) => statement(kind, text));
  return async (trx, id, dropped) => {
    const tasks = dropped.flatMap(({ step, scope, numbers: ranges, inside }) =>
      inside === undefined ? ranges.map(([first, count]) => [step, scope, first, first + count - 1]) : [],
    );
    const items = dropped.flatMap(({ scope, numbers: ranges, inside = [] }) =>
      ranges.flatMap(([first, count]) =>
        Array.from({ length: count }, (_, at) => scopeInside(scope, first + at)).flatMap((item) =>
          inside.map((name) => [name, item]),
        ),
      ),
    );
    if (tasks.length > 0) for (const write of ofStep) await write(trx, id, JSON.stringify(tasks));
    if (items.length > 0) for (const write of ofItems) await write(trx, id, JSON.stringify(items));
  };
}
