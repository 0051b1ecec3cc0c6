// Rows of the tables as what the store gives of them.

import { parseJson } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';
import { clockText, type DatabaseKind } from '../../storage/index.ts';
import { leaseLeft } from './run-lease.ts';
import type { RunSummary, StoredEvent, StoredRun, StoredSlice, StoredStep, StoredTask } from './run-store.ts';
import type { PipelineTables } from './tables.ts';
import { fromRanges, type TaskRange } from './task-ranges.ts';

export type RunRow = PipelineTables['pipeline_runs'];
export type StepRow = PipelineTables['pipeline_steps'];
export type TaskRow = PipelineTables['pipeline_tasks'];
export type SliceRow = PipelineTables['pipeline_slices'];
export type EventRow = PipelineTables['pipeline_events'];

export function summaryColumns(kind: DatabaseKind): string {
  return `id, pipeline, state, tick, parent, elsewhere, cancel_requested, error, driver, lease_until, epoch, created_at, started_at, ended_at,
    ${clockText(kind)} as now`;
}

/** With the database's clock. */
export type SummaryRow = Omit<RunRow, 'spec' | 'params' | 'manifest_hash' | 'keep_going' | 'batch' | 'events'> & {
  readonly now: number;
};

export function toSummary(row: SummaryRow): RunSummary {
  return {
    id: row.id,
    pipeline: row.pipeline,
    state: row.state,
    tick: row.tick,
    parent: row.parent,
    elsewhere: row.elsewhere,
    isCancelRequested: row.cancel_requested === 1,
    error: row.error,
    driver: row.driver,
    isDriven: leaseLeft(row) > 0,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

export function toRun(row: RunRow & Pick<SummaryRow, 'now'>): StoredRun {
  return {
    ...toSummary(row),
    // As they were written by this store.
    spec: parseJson(row.spec) as unknown as PipelineSpec,
    params: parseJson(row.params) as StoredRun['params'],
    manifestHash: row.manifest_hash,
    keepGoing: row.keep_going === 1,
    lastEvent: row.events,
  };
}

export function toStep(row: StepRow): StoredStep {
  const { step, scope, state, children, next_index: nextIndex, order_uri: order, error } = row;
  const { running, retry, succeeded, failed, cancelled } = row;
  const counts = { running, retry, succeeded, failed, cancelled };
  const [openedAt, endedAt] = [row.opened_at, row.ended_at];
  const [items, placement, end] = [row.items_uri, row.placement_uri, row.number_end ?? children];
  return { step, scope, state, children, nextIndex, end, counts, order, items, placement, error, openedAt, endedAt };
}

export function toTask(row: Omit<TaskRow, 'run_id'>): StoredTask {
  return {
    step: row.step,
    scope: row.scope,
    index: row.item_index,
    state: row.state,
    attempt: row.attempt,
    failures: row.failures,
    losses: row.losses,
    notBefore: row.not_before,
    output: outputOf(row),
    error: row.error,
    from: row.copied_from,
    slice: row.slice,
    code: row.code,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

export function outputOf({ output, output_blob: blob }: Pick<TaskRow, 'output' | 'output_blob'>): StoredTask['output'] {
  if (output !== null) return { json: output };
  return blob === null ? null : { blob };
}

export function toSlice({ id, step, scope, executor, tasks, submitted_at: at }: SliceRow): StoredSlice {
  // As it was written by this store.
  return { id, step, scope, executor, tasks: fromRanges(JSON.parse(tasks) as TaskRange[]), at };
}

export function toEvent(row: EventRow): StoredEvent {
  const { number, at, kind, step, scope, item_index: index, count, attempt, message } = row;
  return { number, at, kind, step, scope, index, count, attempt, message };
}

/** As its pipeline declares them, and within one the items of its groups in order. */
export function inOrder(steps: readonly StoredStep[], { steps: declared }: PipelineSpec): readonly StoredStep[] {
  const position = new Map(declared.map(({ name }, at) => [name, at]));
  const placeOf = ({ step }: StoredStep): number => position.get(step) ?? declared.length;
  return steps.toSorted((a, b) => placeOf(a) - placeOf(b) || compareScopes(a.scope, b.scope));
}

function compareScopes(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (const [at, item] of left.entries()) {
    const difference = Number(item) - Number(right[at] ?? -1);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
