// Attempts at tasks that another system runs, as changes of a run in hand. Which attempt is at work is that system's to say: results
// and failures tell of it once it has ended.

import type { Micros } from '../../core/index.ts';
import { noteEvent, noteRow, noteTask } from '../engine/changes.ts';
import { countRunning, type Row, type RunInHand, type Task } from '../engine/run-in-hand.ts';

/** Tasks of an open step that were not handed over yet, so many at most: all are the other system's from then on. */
export function handOver(run: RunInHand, row: Row, most: number): void {
  const from = row.nextIndex;
  const count = Math.min(most, (row.children ?? 0) - from);
  const at = row.openedAt ?? 0;
  if (count <= 0) return;
  const { step, scope } = { step: row.node.name, scope: row.scope };
  const code = run.codes.get(step) ?? null;
  run.changes.fresh.push({ step, scope, from, count, slice: '', at, code });
  for (let index = from; index < from + count; index++) {
    row.tasks.set(index, {
      index,
      isRunning: true,
      attempt: 1,
      failures: 0,
      losses: 0,
      slice: '',
      code,
      startedAt: at,
    });
    countRunning(run, row, 1);
    noteEvent(run, { at, kind: 'claimed', step, scope, index, attempt: 1 });
  }
  row.counts.running += count;
  row.nextIndex += count;
  noteRow(run, row);
}

/** Another attempt of the task is the one at work; of the one before nothing more is heard. */
export function beginAttempt(run: RunInHand, row: Row, task: Task, attempt: number, at: Micros): void {
  if (task.isRunning && task.attempt === attempt) return;
  const expects = task.attempt;
  if (!task.isRunning) {
    row.counts.retry -= 1;
    row.counts.running += 1;
    countRunning(run, row, 1);
  }
  Object.assign(task, { isRunning: true, attempt, startedAt: at });
  noteTask(run, row, task, { expects, state: 'running' });
  noteRow(run, row);
  noteEvent(run, { at, kind: 'claimed', step: row.node.name, scope: row.scope, index: task.index, attempt });
}

/** An attempt ended badly, and a later one of which more is known came after it. */
export function endBefore(
  run: RunInHand,
  row: Row,
  task: Task,
  { kind, reason }: { readonly kind: 'failed' | 'lost'; readonly reason: string },
  at: Micros,
): void {
  const { index, attempt } = task;
  row.counts.running -= 1;
  row.counts.retry += 1;
  countRunning(run, row, -1);
  task.isRunning = false;
  if (kind === 'failed') task.failures += 1;
  else task.losses += 1;
  noteTask(run, row, task, { expects: attempt, state: 'retry', error: reason });
  noteRow(run, row);
  const what = kind === 'failed' ? 'failed, will retry' : 'lost';
  noteEvent(run, { at, kind: what, step: row.node.name, scope: row.scope, index, attempt, message: reason });
}
