// The rows of a batch, table by table.

import type { DatabaseKind } from '../../storage/index.ts';
import type { Batch, SliceChange, TaskChange } from '../engine/batch.ts';
import { createDrops } from './drop-rows.ts';
import { type Columns, type Db, rowsOfJson, type Statement, statement, storable } from './statement.ts';
import { groupedTasks, TASK_COLUMNS, toGroups } from './task-groups.ts';
import { inPasses, toRanges } from './task-ranges.ts';

type Write = Statement<unknown>;
type Row = readonly (string | number | null)[];

const STEP: Columns = {
  step: 'text',
  scope: 'text',
  state: 'text',
  children: 'integer',
  next_index: 'integer',
  number_end: 'integer',
  running: 'integer',
  retry: 'integer',
  succeeded: 'integer',
  failed: 'integer',
  cancelled: 'integer',
  order_uri: 'text',
  items_uri: 'text',
  placement_uri: 'text',
  error: 'text',
  opened_at: 'bigint',
  ended_at: 'bigint',
};
const FRESH: Columns = {
  step: 'text',
  scope: 'text',
  first: 'integer',
  last: 'integer',
  slice: 'text',
  at: 'bigint',
  code: 'text',
};
const SLICE: Columns = {
  id: 'text',
  step: 'text',
  scope: 'text',
  executor: 'text',
  tasks: 'text',
  submitted_at: 'bigint',
};
const EVENT: Columns = {
  number: 'bigint',
  at: 'bigint',
  kind: 'text',
  step: 'text',
  scope: 'text',
  item_index: 'integer',
  count: 'integer',
  attempt: 'integer',
  message: 'text',
};

const CACHED: Columns = { key: 'text', output: 'text', output_blob: 'text', at: 'bigint' };

const KEYS = new Set(['step', 'scope', 'item_index']);

/** Gives how many changes of tasks did not apply, and how many fresh claims. Events are numbered from the one after `events`. */
export function createBatchRows(kind: DatabaseKind): {
  write(trx: Db, id: string, batch: Batch, events: number): Promise<number>;
} {
  const upsertSteps = statement(
    kind,
    `${insertInto('pipeline_steps', STEP)} select ${selected(Object.keys(STEP))} from ${rowsOfJson(kind, STEP)} where true
     on conflict (run_id, step, scope) do update set ${assigned(Object.keys(STEP), 'excluded')}`,
  );
  const claimed = `c.run_id, c.step, c.scope, %, 'running', 1, 0, 0, 0, c.slice, c.at, c.code`;
  const columns = `pipeline_tasks (run_id, step, scope, item_index, state, attempt, failures, losses, not_before, slice, started_at, code)`;
  const insertFresh = statement(
    kind,
    kind === 'postgres'
      ? `insert into ${columns} select ${claimed.replace('%', 'at_index')} from ${rowsOfJson(kind, FRESH)},
         generate_series(c.first, c.last) at_index on conflict do nothing`
      : `with recursive c as (select * from ${rowsOfJson(kind, FRESH)}
           union all select run_id, step, scope, first + 1, last, slice, at, code from c where first < last)
         insert into ${columns} select ${claimed.replace('%', 'c.first')} from c where true on conflict do nothing`,
  );
  // A constant, by which Postgres leaves the tasks of other runs alone; SQLite would walk all of this one's.
  const ofRun = kind === 'postgres' ? '$1' : 'c.run_id';
  const updateTasks = statement(
    kind,
    `update pipeline_tasks as t set ${assigned(TASK_COLUMNS, 'c')} from ${groupedTasks(kind)}
     where t.run_id = ${ofRun} and t.step = c.step and t.scope = c.scope and t.item_index = c.item_index
       and t.attempt = c.expects and t.state in ('running', 'retry')`,
  );
  const placeTasks = statement(
    kind,
    `insert into pipeline_tasks as t (run_id, ${TASK_COLUMNS.join(', ')})
     select ${selected(TASK_COLUMNS)} from ${groupedTasks(kind)} where true
     on conflict (run_id, step, scope, item_index) do update set ${assigned(TASK_COLUMNS, 'excluded')}
       where t.state <> 'succeeded'`,
  );
  const insertSlices = statement(
    kind,
    `${insertInto('pipeline_slices', SLICE)} select ${selected(Object.keys(SLICE))} from ${rowsOfJson(kind, SLICE)} where true
     on conflict (run_id, id) do nothing`,
  );
  const insertEvents = statement(
    kind,
    `${insertInto('pipeline_events', EVENT)} select ${selected(Object.keys(EVENT))} from ${rowsOfJson(kind, EVENT)}`,
  );

  const keepCached = statement(
    kind,
    `${insertInto('pipeline_cache', CACHED)} select ${selected(Object.keys(CACHED))} from ${rowsOfJson(kind, CACHED)} where true
     on conflict (key) do update set run_id = excluded.run_id, output = excluded.output, output_blob = excluded.output_blob,
       at = excluded.at`,
  );

  const dropTasks = createDrops(kind);

  const many = async (write: Write, trx: Db, id: string, rows: readonly Row[]): Promise<number> => {
    if (rows.length === 0) return 0;
    const { numAffectedRows = 0n } = await write(trx, id, JSON.stringify(rows));
    return Number(numAffectedRows);
  };

  const change = async (write: Write, trx: Db, id: string, changes: readonly TaskChange[]): Promise<number> => {
    if (changes.length === 0) return 0;
    const { groups, tasks } = toGroups(changes);
    const { numAffectedRows = 0n } = await write(trx, id, groups, tasks);
    return Number(numAffectedRows);
  };

  return {
    async write(trx, id, batch, events) {
      await many(upsertSteps, trx, id, lastOfEach(batch.steps).map(stepRow));
      let wanted = 0;
      let written = 0;
      if (batch.fresh.length > 0) {
        for (const { count } of batch.fresh) wanted += count;
        written += await many(
          insertFresh,
          trx,
          id,
          batch.fresh.map(({ step, scope, from, count, slice, at, code }) => [
            step,
            scope,
            from,
            from + count - 1,
            slice,
            at,
            code,
          ]),
        );
      }
      for (const changes of inPasses(batch.tasks)) {
        wanted += changes.length;
        written += await change(
          updateTasks,
          trx,
          id,
          changes.filter(({ expects }) => expects !== null),
        );
        written += await change(
          placeTasks,
          trx,
          id,
          changes.filter(({ expects }) => expects === null),
        );
      }
      if (batch.dropped !== undefined && batch.dropped.length > 0) await dropTasks(trx, id, batch.dropped);
      await many(insertSlices, trx, id, batch.slices.map(sliceRow));
      await many(
        insertEvents,
        trx,
        id,
        batch.events.map((event, at) => eventRow(event, events + at + 1)),
      );
      await many(keepCached, trx, id, lastOfKeys(batch.cached).map(cachedRow));
      return wanted - written;
    },
  };
}

const insertInto = (table: string, columns: Columns): string =>
  `insert into ${table} (run_id, ${Object.keys(columns).join(', ')})`;

const selected = (columns: readonly string[]): string =>
  ['run_id', ...columns].map((column) => `c.${column}`).join(', ');

const assigned = (columns: readonly string[], from: string): string =>
  columns
    .filter((column) => !KEYS.has(column))
    .map((column) => `${column} = ${from}.${column}`)
    .join(', ');

/** A statement writes a row once. */
function lastOfEach(steps: Batch['steps']): Batch['steps'] {
  return steps.length < 2 ? steps : [...new Map(steps.map((one) => [`${one.step} ${one.scope}`, one])).values()];
}

function lastOfKeys(cached: Batch['cached']): Batch['cached'] {
  return cached.length < 2 ? cached : [...new Map(cached.map((one) => [one.key, one])).values()];
}

function cachedRow({ key, output, at }: Batch['cached'][number]): Row {
  return [key, 'json' in output ? storable(output.json) : null, 'blob' in output ? output.blob : null, at];
}

function stepRow(change: Batch['steps'][number]): Row {
  const { step, scope, state, children, nextIndex, end, counts, order, items, placement, error } = change;
  const { running, retry, succeeded, failed, cancelled } = counts;
  const numbers = [children, nextIndex, end, running, retry, succeeded, failed, cancelled];
  const { openedAt, endedAt } = change;
  return [step, scope, state, ...numbers, order, items, placement, storable(error), openedAt, endedAt];
}

function sliceRow({ id, step, scope, executor, tasks, at }: SliceChange): Row {
  return [id, step, scope, executor, JSON.stringify(toRanges(tasks)), at];
}

function eventRow(event: Batch['events'][number], number: number): Row {
  const { at, kind, step = null, scope = null, index = null, count = null, attempt = null, message = null } = event;
  return [number, at, storable(kind), step, scope, index, count, attempt, storable(message)];
}
