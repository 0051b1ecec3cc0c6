// Runs as tests of their rows make them: a pipeline, batches with little said, and all rows of a run as they lie in the tables.

import type { PipelineSpec } from '../../src/definitions/index.ts';
import type { Batch, StepChange, TaskChange } from '../../src/orchestrator/engine/batch.ts';
import type { NewRun } from '../../src/orchestrator/rows/run-store.ts';
import type { PipelineTables } from '../../src/orchestrator/rows/tables.ts';
import type { Database } from '../../src/storage/index.ts';
import { plainStep } from './plain-step.ts';

export const pipeline: PipelineSpec = {
  name: 'p',
  params: [],
  steps: [plainStep('fan'), plainStep('end', { needs: { fan: 'fan' } })],
};

export const newRun = (id: string, other: Partial<NewRun> = {}): NewRun => ({
  id,
  pipeline,
  params: { seed: 7 },
  manifestHash: 'h',
  keepGoing: false,
  state: 'queued',
  steps: pipeline.steps.map(({ name }) => ({ step: name, scope: '' })),
  ...other,
});

export const NO_TASKS = { running: 0, retry: 0, succeeded: 0, failed: 0, cancelled: 0 };

export const batchOf = (other: Partial<Batch>): Batch => ({
  run: null,
  steps: [],
  fresh: [],
  tasks: [],
  slices: [],
  pools: [],
  events: [],
  cached: [],
  ...other,
});

export const stepOf = (other: Partial<StepChange>): StepChange => ({
  step: 'fan',
  scope: '',
  state: 'open',
  children: 20,
  nextIndex: 0,
  end: 20,
  counts: NO_TASKS,
  order: `blob:${'0'.repeat(64)}`,
  items: null,
  placement: null,
  error: null,
  openedAt: 1,
  endedAt: null,
  ...other,
});

/** A first attempt that succeeded. */
export const taskOf = (index: number, other: Partial<TaskChange> = {}): TaskChange => ({
  step: 'fan',
  scope: '',
  index,
  expects: 1,
  state: 'succeeded',
  attempt: 1,
  failures: 0,
  losses: 0,
  notBefore: 0,
  output: { json: `{"n":${index}}` },
  error: null,
  from: null,
  slice: 's',
  code: null,
  startedAt: 2,
  endedAt: 3,
  ...other,
});

const firstOf = (count: number) => Array.from({ length: count }, (_, index) => ({ index, attempt: 1 }));

/** The fan opened for 20, of which so many are claimed by slice `s`. */
export const claimed = (count: number): Batch =>
  batchOf({
    steps: [stepOf({ nextIndex: count, counts: { ...NO_TASKS, running: count } })],
    fresh: [{ step: 'fan', scope: '', from: 0, count, slice: 's', at: 1, code: null }],
    slices: [{ id: 's', step: 'fan', scope: '', executor: 'local', tasks: firstOf(count), at: 1 }],
    events: [{ at: 1, kind: 'claimed', step: 'fan', scope: '', index: 0, count, attempt: 1 }],
  });

type Rows = { readonly [T in keyof PipelineTables]: readonly PipelineTables[T][] };

export async function rowsOf(database: Database): Promise<Rows> {
  const db = database.tables<PipelineTables>();
  const rows = <T extends keyof PipelineTables>(table: T, ...by: (keyof PipelineTables[T] & string)[]) =>
    by.reduce((query, column) => query.orderBy(column as never), db.selectFrom(table as never).selectAll()).execute();
  const [runs, steps, tasks, slices, events, cached, pools] = await Promise.all([
    rows('pipeline_runs', 'id'),
    rows('pipeline_steps', 'run_id', 'step', 'scope'),
    rows('pipeline_tasks', 'run_id', 'step', 'scope', 'item_index'),
    rows('pipeline_slices', 'run_id', 'id'),
    rows('pipeline_events', 'run_id', 'number'),
    rows('pipeline_cache', 'key'),
    rows('pipeline_pools', 'pool', 'run_id'),
  ]);
  return {
    pipeline_runs: runs,
    pipeline_steps: steps,
    pipeline_tasks: tasks,
    pipeline_slices: slices,
    pipeline_events: events,
    pipeline_cache: cached,
    pipeline_pools: pools,
  } as unknown as Rows; // each of its own table
}

/** As if so much time had gone by for leases; negative: as if the clock had been set back. */
export async function passLeases(database: Database, ms: number): Promise<void> {
  await database
    .tables<PipelineTables>()
    .updateTable('pipeline_runs')
    .set((row) => ({ lease_until: row('lease_until', '-', ms * 1000) }))
    .execute();
}

/** Where a step's counts are not those of its tasks: sentences. */
export async function miscounts(database: Database): Promise<readonly string[]> {
  const { pipeline_steps: steps, pipeline_tasks: tasks } = await rowsOf(database);
  return steps.flatMap(({ run_id: run, step, scope, ...row }) =>
    (['running', 'retry', 'succeeded', 'failed', 'cancelled'] as const).flatMap((state) => {
      const found = tasks.filter(
        (task) => task.run_id === run && task.step === step && task.scope === scope && task.state === state,
      ).length;
      return found === row[state] ? [] : [`${step} of ${run}: ${row[state]} ${state} counted, ${found} found`];
    }),
  );
}
