// The failure that a run's error tells: the first by the times of the artifact store, in whatever order results are read.

import { compareTexts, type Micros } from '../../core/index.ts';
import type { Batch } from '../engine/batch.ts';
import type { Graph } from '../engine/graph.ts';
import { failureText } from '../engine/next.ts';
import type { Row, Task } from '../engine/run-in-hand.ts';
import type { LoadedRun, RunStore } from '../rows/run-store.ts';
import type { AttemptEnd } from './task-records.ts';

export interface Failures {
  /** `row`: the step that it is of; undefined where it is the run's own. */
  note(row: Row | undefined, at: Micros, text: string): void;
  /** Of a task that the reducer has given up. */
  noteTask(row: Row, task: Task, end: AttemptEnd, at: Micros): void;
  /** A batch with that failure as the run's error, where it ends with one. */
  told(batch: Batch): Batch;
}

interface Failure {
  readonly at: Micros;
  readonly place: number;
  readonly scope: string;
  readonly index: number;
  readonly text: string;
}

const TASKS_AT_ONCE = 1000;

/** From the failures that rows tell of. */
export async function firstFailure(
  store: Pick<RunStore, 'tasks'>,
  { run, steps }: LoadedRun,
  graph: Graph,
): Promise<Failures> {
  let first: Failure | undefined;
  const consider = (one: Failure): void => {
    if (first === undefined || isBefore(one, first)) first = one;
  };
  for (const { step, scope, state, counts, children, error, endedAt } of steps) {
    const node = graph.nodes.get(step);
    if (node?.kind !== 'step') continue;
    const { place } = node;
    if (state === 'failed' && error !== null)
      consider({ at: endedAt ?? 0, place, scope, index: 0, text: `step "${step}": ${error}` });
    for (let from = 0; counts.failed > 0; ) {
      const tasks = await store.tasks(run.id, step, { scope, state: 'failed', from, limit: TASKS_AT_ONCE });
      for (const task of tasks) {
        const text = failureText({ node, scope, children }, task, task.error ?? '');
        consider({ at: task.endedAt ?? 0, place, scope, index: task.index, text });
      }
      if (tasks.length < TASKS_AT_ONCE) break;
      from = (tasks.at(-1)?.index ?? 0) + 1;
    }
  }
  return {
    note(row, at, text) {
      consider({ at, place: row?.node.place ?? Infinity, scope: row?.scope ?? '', index: 0, text });
    },
    noteTask(row, task, end, at) {
      const { node, scope } = row;
      if (node.kind !== 'step' || node.spec.catch === true) return;
      const reason = end.kind === 'lost' ? `it was lost ${task.losses} times: ${end.reason}` : end.reason;
      consider({ at, place: node.place, scope, index: task.index, text: failureText(row, task, reason) });
    },
    told(batch) {
      if (batch.run?.state !== 'failed' || first === undefined) return batch;
      const { text } = first;
      const events = batch.events.map((event, at) =>
        at === batch.events.length - 1 && event.kind === 'failed' && event.step === undefined
          ? { ...event, message: text }
          : event,
      );
      return { ...batch, run: { ...batch.run, error: text }, events };
    },
  };
}

function isBefore(a: Failure, b: Failure): boolean {
  return (a.at - b.at || a.place - b.place || compareTexts(a.scope, b.scope) || a.index - b.index) < 0;
}
