// What is read of runs: a driver's state, lists and pictures without a task, and tasks in pages.

import { compareTexts } from '../../core/index.ts';
import { clockText, type Database, type DatabaseKind } from '../../storage/index.ts';
import { type LeaseRow, leaseLeft, unknownRun } from './run-lease.ts';
import type { DueRuns, ListRuns, OpenTask, RunStore, RunTrigger, StoredStep } from './run-store.ts';
import { type Db, type Parameter, statement } from './statement.ts';
import {
  type EventRow,
  inOrder,
  type RunRow,
  type SliceRow,
  type StepRow,
  summaryColumns,
  type SummaryRow,
} from './stored-rows.ts';
import { toEvent, toRun, toSlice, toStep, toSummary } from './stored-rows.ts';

const LIMIT = 100;
const EVENTS_AT_ONCE = 1000;

type Reads = Pick<RunStore, 'load' | 'list' | 'get' | 'codes' | 'events' | 'edits' | 'due' | 'localDrivers'>;

/** What slices are kept by whose driver had them on its own machine, before its id. */
const LOCAL = 'local:';

interface CountsRow extends Record<'running' | 'retry' | 'succeeded' | 'failed' | 'cancelled' | 'children', number> {
  readonly run_id: string;
}

type OpenTaskRow = Omit<OpenTask, 'index' | 'notBefore' | 'startedAt'> & {
  readonly item_index: number;
  readonly not_before: number;
  readonly started_at: number | null;
};

export function createReads(database: Database): Reads {
  const { kind } = database;
  const db = (): Db => database.tables();
  const readRun = statement<RunRow & Pick<SummaryRow, 'now'>>(
    kind,
    `select *, ${clockText(kind)} as now from pipeline_runs where id = ?`,
  );
  const readSteps = statement<StepRow>(kind, 'select * from pipeline_steps where run_id = ?');
  // By the index of those that are not finished: `state <> 'succeeded'` is what it says of itself. States by name and no
  // order, so that both databases take it though they know nothing of the table yet.
  const readOpen = statement<OpenTaskRow>(
    kind,
    `select step, scope, item_index, state, attempt, failures, losses, not_before, slice, code, started_at from pipeline_tasks
     where run_id = ? and state <> 'succeeded' and state in ('running', 'retry', 'failed')`,
  );
  const readSlices = statement<SliceRow>(
    kind,
    `select * from pipeline_slices where run_id = ? and id in
       (select slice from pipeline_tasks where run_id = ? and state <> 'succeeded' and state = 'running')
     order by submitted_at, id`,
  );
  const readPools = statement<{ pool: string; slots: number }>(
    kind,
    'select pool, slots from pipeline_pools where run_id = ?',
  );
  const readEvents = statement<EventRow>(
    kind,
    `select * from pipeline_events where run_id = ? and number > ? order by number limit ${EVENTS_AT_ONCE}`,
  );
  // What the index of those events says of itself.
  const readEdits = statement<EventRow>(
    kind,
    `select * from pipeline_events where run_id = ? and kind = 'edited' order by number`,
  );
  const readCodes = statement<{ step: string; code: string | null; copied_from: string | null; tasks: number }>(
    kind,
    `select step, code, copied_from, count(*) as tasks from pipeline_tasks where run_id = ? and state = 'succeeded'
     group by step, code, copied_from order by step, code, copied_from`,
  );
  const readLocal = statement<{ executor: string; busy: number }>(
    kind,
    `select executor, max(case when id in
       (select slice from pipeline_tasks where run_id = ? and state <> 'succeeded' and state = 'running') then 1 else 0 end) as busy
     from pipeline_slices where run_id = ? and executor like '${LOCAL}%' group by executor order by executor`,
  );
  const readGoing = statement<LeaseRow>(
    kind,
    `select id, pipeline, state, driver, lease_until, epoch, cancel_requested, elsewhere, ${clockText(kind)} as now
     from pipeline_runs where state in ('queued', 'running') and elsewhere is null order by created_at, id`,
  );

  const get: Reads['get'] = async (id) => {
    const row = (await readRun(db(), id)).rows[0];
    if (row === undefined) throw unknownRun(id);
    const run = toRun(row);
    const steps: readonly StoredStep[] = (await readSteps(db(), id)).rows.map(toStep);
    return { run, steps: inOrder(steps, run.spec) };
  };

  /** Of those of the runs that triggers made: their first events tell it. */
  const triggersOf = async (runs: readonly SummaryRow[]): Promise<ReadonlyMap<string, { trigger: RunTrigger }>> => {
    const ids = runs.filter(({ tick }) => tick !== null).map(({ id }) => id);
    if (ids.length === 0) return new Map();
    const { rows } = await statement<{ run_id: string; message: string }>(
      kind,
      `select run_id, message from pipeline_events
       where number = 1 and kind = 'created' and message is not null and run_id in (${ids.map(() => '?').join(', ')})`,
    )(db(), ...ids);
    // Whoever made the run wrote it.
    return new Map(rows.map(({ run_id: id, message }) => [id, { trigger: JSON.parse(message) as RunTrigger }]));
  };

  return {
    get,
    async load(id) {
      const { run, steps } = await get(id);
      const tasks = (await readOpen(db(), id)).rows.map(
        ({ item_index: index, not_before: notBefore, started_at: startedAt, ...row }): OpenTask => ({
          ...row,
          index,
          notBefore,
          startedAt,
        }),
      );
      tasks.sort(byKey);
      const slices = (await readSlices(db(), id, id)).rows.map(toSlice);
      return { run, steps, tasks, slices, pools: (await readPools(db(), id)).rows };
    },
    async list(wanted = {}) {
      const { text, parameters } = listed(kind, wanted);
      const { rows } = await statement<SummaryRow>(kind, text)(db(), ...parameters);
      if (rows.length === 0) return [];
      const counts = await statement<CountsRow>(
        kind,
        `select run_id, ${['running', 'retry', 'succeeded', 'failed', 'cancelled', 'children'].map((name) => `coalesce(sum(${name}), 0) as ${name}`).join(', ')}
         from pipeline_steps s where run_id in (${rows.map(() => '?').join(', ')}) and ${HAS_TASKS} group by run_id`,
      )(db(), ...rows.map(({ id }) => id));
      const byRun = new Map(counts.rows.map(({ run_id: id, ...row }) => [id, row]));
      const triggers = await triggersOf(rows);
      return rows.map((row) => ({ ...toSummary(row), counts: byRun.get(row.id) ?? NONE, ...triggers.get(row.id) }));
    },
    codes: async (id) =>
      (await readCodes(db(), id)).rows.map(({ step, code, copied_from: from, tasks }) => ({
        step,
        code,
        from,
        tasks,
      })),
    edits: async (id) => (await readEdits(db(), id)).rows.map(toEvent),
    events: async (id, after = 0) => (await readEvents(db(), id, after)).rows.map(toEvent),
    localDrivers: async (id) =>
      (await readLocal(db(), id, id)).rows.map(({ executor, busy }) => ({
        driver: executor.slice(LOCAL.length),
        isBusy: busy > 0,
      })),
    async due() {
      const { rows } = await readGoing(db());
      const waiting = new Map<string, { pipeline: string; going: number; runs: string[] }>();
      for (const { id, pipeline, state } of rows) {
        const of = waiting.get(pipeline) ?? { pipeline, going: 0, runs: [] };
        waiting.set(pipeline, of);
        if (state === 'running') of.going++;
        else of.runs.push(id);
      }
      const abandoned = rows.filter((row) => row.state === 'running' && leaseLeft(row) === 0);
      return {
        queued: [...waiting.values()].filter(({ runs }) => runs.length > 0),
        abandoned: abandoned.map(({ id, pipeline }) => ({ id, pipeline })),
      } satisfies DueRuns;
    },
  };
}

/** Rows of groups, which have no order, count items; runs without items have none. */
const HAS_TASKS = `(s.order_uri is not null or not exists
  (select 1 from pipeline_steps i where i.run_id = s.run_id and i.scope <> ''))`;

function byKey(a: OpenTask, b: OpenTask): number {
  return compareTexts(a.step, b.step) || compareTexts(a.scope, b.scope) || a.index - b.index;
}

const NONE = { running: 0, retry: 0, succeeded: 0, failed: 0, cancelled: 0, children: 0 };

function listed(
  kind: DatabaseKind,
  { pipeline, state, limit = LIMIT, byTick = false, before }: ListRuns,
): { text: string; parameters: Parameter[] } {
  const terms: string[] = [];
  const parameters: Parameter[] = [];
  const where = (term: string, ...given: readonly Parameter[]): void => {
    terms.push(term);
    parameters.push(...given);
  };
  if (pipeline !== undefined) where('pipeline = ?', pipeline);
  if (state !== undefined) where('state = ?', state);
  if (byTick) where('tick is not null');
  if (before !== undefined) where('(created_at, id) < (?, ?)', before.createdAt, before.id);
  const filter = terms.length === 0 ? '' : `where ${terms.join(' and ')}`;
  const text = `select ${summaryColumns(kind)} from pipeline_runs ${filter} order by ${byTick ? 'tick' : 'created_at'} desc, id desc limit ?`;
  return { text, parameters: [...parameters, limit] };
}
