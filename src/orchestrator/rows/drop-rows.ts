// Tasks whose items a run has no more: their rows are kept apart, where nothing of the run is read from.

import type { DatabaseKind } from '../../storage/index.ts';
import type { DroppedTasks } from '../engine/batch.ts';
import { scopeInside } from '../engine/graph.ts';
import { type Db, type Parameter, rowsOfJson, type Statement, statement } from './statement.ts';
import { DROPPED_COLUMNS } from './tables.ts';

/** A statement's JSON has at most so many rows: it is held whole, and a group may have 100,000 items. */
const ROWS_AT_ONCE = 10_000;

/** In the transaction of the batch that says so, after its other rows. */
export function createDrops(
  kind: DatabaseKind,
): (trx: Db, id: string, dropped: readonly DroppedTasks[]) => Promise<void> {
  const others = DROPPED_COLUMNS.filter((column) => column !== 'state').join(', ');
  // What ran of them is being ended, and no event says how.
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
  const isDirect = 't.step = c.step and t.scope = c.scope';
  // In SQLite a range of the primary key: '0' comes after '/'. It does not take a `like` for one, and would compare each task of
  // the step with each item. Texts of Postgres are in the order of its locale.
  const isDeeper =
    kind === 'postgres'
      ? `t.step = c.step and t.scope like c.scope || '/%'`
      : `t.step = c.step and t.scope > c.scope || '/' and t.scope < c.scope || '0'`;
  const statements = (texts: readonly string[]) => texts.map((text) => statement(kind, text));
  const ofStep = statements([keep(numbers, isNumber), remove('pipeline_tasks', numbers, isNumber)]);
  const ofItems = (isInside: string) =>
    statements([
      keep(scopes, isInside),
      remove('pipeline_tasks', scopes, isInside),
      remove('pipeline_steps', scopes, isInside),
    ]);
  const [ofDirect, ofDeeper] = [ofItems(isDirect), ofItems(isDeeper)];
  const run = async (
    writes: readonly Statement<unknown>[],
    trx: Db,
    id: string,
    rows: readonly (readonly Parameter[])[],
  ): Promise<void> => {
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
      const some = JSON.stringify(rows.slice(from, from + ROWS_AT_ONCE));
      for (const write of writes) await write(trx, id, some);
    }
  };
  return async (trx, id, dropped) => {
    const tasks = dropped.flatMap(({ step, scope, numbers: ranges, inside }) =>
      inside === undefined ? ranges.map(([first, count]) => [step, scope, first, first + count - 1]) : [],
    );
    await run(ofStep, trx, id, tasks);
    for (const { scope, numbers: ranges, inside } of dropped) {
      if (inside === undefined) continue;
      const items = ranges.flatMap(([first, count]) =>
        Array.from({ length: count }, (_, at) => scopeInside(scope, first + at)),
      );
      const inItems = (names: readonly string[]) => names.flatMap((name) => items.map((item) => [name, item]));
      await run(ofDirect, trx, id, inItems(inside.direct));
      await run(ofDeeper, trx, id, inItems(inside.deeper));
    }
  };
}
