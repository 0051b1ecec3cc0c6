// Results that lie in the artifact store and that no row can be made of, or that say otherwise than the row that was made of them.

import { HeadraceError, toHeadraceError } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { TaskOutput } from '../engine/batch.ts';
import { type Graph, graphOf } from '../engine/graph.ts';
import type { RunStore, StoredRun, StoredStep } from '../rows/run-store.ts';
import { storable } from '../rows/statement.ts';
import type { SyncProblem } from './problems.ts';
import { listRecords, readTaskResult } from './task-records.ts';

/** Beside steps in a run's folder; a step's own keys go on with a number. */
const OTHERS = new Set(['specs', 'slices', 'logs']);
const RESULT = /^((?:\d+\/)*)(\d+)\/result\.json$/;

/** Results of steps and tasks that the run has not. Throws HR_STORAGE_UNAVAILABLE. */
export async function* strayResults(
  objects: ObjectStore,
  run: { readonly id: string; readonly spec: PipelineSpec },
  steps: readonly StoredStep[],
): AsyncGenerator<SyncProblem> {
  const graph = graphOf(run.spec);
  const rows = new Map(steps.map((row) => [`${row.step} ${row.scope}`, row]));
  const prefix = `runs/${run.id}/`;
  for await (const { key } of objects.list(prefix)) {
    const [step = '', ...rest] = key.slice(prefix.length).split('/');
    const [, around, index] = RESULT.exec(rest.join('/')) ?? [];
    if (rest.at(-1) !== 'result.json' || (index === undefined && OTHERS.has(step))) continue;
    const scope = around?.replace(/\/$/, '') ?? '';
    const reason = whyStray(graph, rows, { step, scope, index: index === undefined ? undefined : Number(index) });
    if (reason !== undefined) yield { key, reason };
  }
}

function whyStray(
  graph: Graph,
  rows: ReadonlyMap<string, StoredStep>,
  { step, scope, index }: { readonly step: string; readonly scope: string; readonly index: number | undefined },
): string | undefined {
  const node = graph.nodes.get(step);
  if (node?.kind !== 'step') return `it is of a step "${step}", which pipeline "${graph.pipeline.name}" has not`;
  const depth = scope === '' ? 0 : scope.split('/').length;
  if (index === undefined || depth !== node.around.length) {
    const place = [...node.around.map((group) => `<item of ${group}>`), '<index>'].join('/');
    return `it is no task of step "${step}": those lie under ${step}/${place}`;
  }
  const row = rows.get(`${step} ${scope}`);
  // Its group has yet to open, or has no such item.
  if (row === undefined) return itemIsMissing(graph, rows, node.around, scope);
  if (row.state === 'skipped') return `step "${step}" was skipped: by the results before it, its gate is shut`;
  if (row.children === null)
    return row.state === 'cancelled'
      ? `step "${step}" was given up before it began: ${row.error ?? 'the run had stopped'}`
      : undefined;
  if (index < row.children) return undefined;
  const count = row.children === 1 ? 'one task, 0' : `${row.children} tasks, 0 to ${row.children - 1}`;
  return `step "${step}" has ${row.children === 0 ? 'no task' : count}, and this is of ${index}`;
}

function itemIsMissing(
  { nodes }: Graph,
  rows: ReadonlyMap<string, StoredStep>,
  around: readonly string[],
  scope: string,
): string | undefined {
  const items = scope.split('/').map(Number);
  for (const [depth, group] of around.entries()) {
    const row = rows.get(`${group} ${items.slice(0, depth).join('/')}`);
    const item = items[depth] ?? 0;
    if (row?.children !== null && row?.children !== undefined && item >= row.children && nodes.has(group))
      return `the group "${group}" has ${row.children} items, and this is of item ${item}`;
  }
  return undefined;
}

/** Whether a task that has failed, or was given up, has a result by now: somebody has gone on with the run. */
export async function isOvertaken(
  { store, objects }: { readonly store: RunStore; readonly objects: ObjectStore },
  { id, state }: Pick<StoredRun, 'id' | 'state'>,
  steps: readonly StoredStep[],
): Promise<boolean> {
  for (const { step, scope, counts, order } of steps) {
    if (order === null) continue;
    const states = [
      ...(counts.failed > 0 ? (['failed'] as const) : []),
      ...(counts.cancelled > 0 && state === 'failed' ? (['cancelled'] as const) : []),
    ];
    if (states.length === 0) continue;
    const records = await listRecords(objects, id, { step, scope });
    for (const state of states) {
      for await (const index of indexesOf(store, id, { step, scope, state })) {
        const found = records.get(index)?.result;
        if (found === undefined) continue;
        try {
          if ((await readTaskResult(objects, found)) !== undefined) return true;
        } catch (error) {
          // It is told by whoever makes the rows.
          if (toHeadraceError(error).code !== 'HR_ARTIFACT_UNREADABLE') throw error;
        }
      }
    }
  }
  return false;
}

/** Results of an ended run that are not what its rows have. The rows stay. */
export async function* changedResults(
  { store, objects }: { readonly store: RunStore; readonly objects: ObjectStore },
  id: string,
  steps: readonly StoredStep[],
): AsyncGenerator<SyncProblem> {
  for (const { step, scope, counts, order } of steps) {
    if (order === null || counts.succeeded === 0) continue;
    const records = await listRecords(objects, id, { step, scope });
    for await (const { index, output } of store.outputs(id, step, scope)) {
      const found = records.get(index)?.result;
      if (found === undefined) continue;
      try {
        const stored = await readTaskResult(objects, found);
        if (stored === undefined || textOf(stored.output) === textOf(output)) continue;
        const reason = `it says ${shorten(textOf(stored.output))}, and the row that was made of it has ${shorten(textOf(output))}; the row stays, as what came after has gone by it`;
        yield { key: found.key, reason };
      } catch (error) {
        if (!(error instanceof HeadraceError) || error.code !== 'HR_ARTIFACT_UNREADABLE') throw error;
        yield { key: found.key, reason: error.message };
      }
    }
  }
}

async function* indexesOf(
  store: RunStore,
  id: string,
  { step, scope, state }: { readonly step: string; readonly scope: string; readonly state: 'failed' | 'cancelled' },
): AsyncGenerator<number> {
  for (let from = 0; ; ) {
    const tasks = await store.tasks(id, step, { scope, state, from, limit: TASKS_AT_ONCE });
    for (const { index } of tasks) yield index;
    if (tasks.length < TASKS_AT_ONCE) return;
    from = (tasks.at(-1)?.index ?? 0) + 1;
  }
}

const TASKS_AT_ONCE = 1000;

function textOf(output: TaskOutput): string {
  return 'json' in output ? storable(output.json) : `blob:${output.blob}`;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
