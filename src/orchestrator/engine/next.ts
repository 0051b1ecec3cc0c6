// The reducer: what a run becomes by an event, and what is to be done then. It knows no clock, no database and no executor; the
// same events give the same rows in every process.

import { type Micros, sha256Hex } from '../../core/index.ts';
import type { SliceChange, TaskOutput } from './batch.ts';
import { noteEvent, noteRow, noteTask } from './changes.ts';
import type { Attempt, Command, EngineEvent } from './events.ts';
import { type Row, type RunInHand, countRunning, type Task } from './run-in-hand.ts';
import { retryDelay } from './retry-delay.ts';
import { endRow, mayClaim, openGroup, settle, startAll } from './settle.ts';

/** The fifth time that it is lost it has failed. */
const MOST_LOSSES = 5;

/** Changes `run` in place. An event that comes late, or twice, changes nothing. */
export function next(run: RunInHand, event: EngineEvent, at: Micros): readonly Command[] {
  if (run.end !== null) return [];
  const commands: Command[] = [];
  switch (event.kind) {
    case 'begin':
      startAll(run);
      break;
    case 'prepared':
      prepared(run, event, at);
      break;
    case 'unprepared': {
      const row = takePreparing(run, event);
      if (row === undefined) break;
      run.failure ??= `step "${event.step}": ${event.reason}`;
      endRow(run, row, 'failed', at, event.reason);
      break;
    }
    case 'room':
      claim(run, event, at, commands);
      break;
    case 'cancel':
      if (run.isCancelled) break;
      run.isCancelled = true;
      noteEvent(run, { at, kind: 'cancel' });
      if (run.runningTasks > 0) commands.push({ kind: 'cancel' });
      break;
    default:
      attempted(run, event, at);
  }
  settle(run, at, commands);
  return commands;
}

/** Steps that have something to claim at this time, and may: those in groups first, so that items that are begun come to an end. */
export function* claimable(run: RunInHand, at: Micros): Generator<Row> {
  const rows = [...run.claimable].sort(
    ({ node: one }, { node: other }) => other.around.length - one.around.length || one.place - other.place,
  );
  for (const row of rows) {
    if (!mayClaim(run, row) || roomOf(run, row) <= 0) continue;
    if (row.due.first() <= at || row.nextIndex < (row.children ?? 0)) yield row;
  }
}

/** When a task that is to be tried again may be claimed; Infinity where there is none. */
export function nextDue(run: RunInHand): Micros {
  let first = Infinity;
  for (const row of run.claimable) if (mayClaim(run, row)) first = Math.min(first, row.due.first());
  return first;
}

function prepared(run: RunInHand, event: Extract<EngineEvent, { kind: 'prepared' }>, at: Micros): void {
  const row = takePreparing(run, event);
  // Where the run stops meanwhile it stays as it is, and ends with the others.
  if (row === undefined || !mayClaim(run, row)) return;
  if (!event.passes) return endRow(run, row, 'skipped', at, null);
  row.children = event.children;
  row.order = event.order;
  row.openedAt = at;
  row.state = 'open';
  noteRow(run, row);
  noteEvent(run, { at, kind: 'opened', step: event.step, scope: event.scope, count: event.children });
  if (event.children === 0) endRow(run, row, 'succeeded', at, null);
  else if (row.node.kind === 'group') openGroup(run, row);
  else {
    run.claimable.add(row);
    // Of a run that was taken over, tasks may have ended before their step was made ready anew: perhaps all of them.
    run.agenda.push(row);
  }
}

function takePreparing(run: RunInHand, { step, scope }: { readonly step: string; readonly scope: string }) {
  const row = run.rows.get(step)?.get(scope);
  if (row?.isPreparing !== true) return undefined;
  row.isPreparing = false;
  run.preparing -= 1;
  return row;
}

/** How many more of its tasks may run at once. */
function roomOf(run: RunInHand, { node }: Row): number {
  const parallel = node.kind === 'step' ? node.spec.parallel : undefined;
  return parallel === undefined ? Infinity : parallel - (run.running.get(node.name) ?? 0);
}

function claim(
  run: RunInHand,
  { step, scope, tasks, perSlice, executor }: Extract<EngineEvent, { kind: 'room' }>,
  at: Micros,
  commands: Command[],
): void {
  const row = run.rows.get(step)?.get(scope);
  if (row === undefined || !run.claimable.has(row) || !mayClaim(run, row) || row.order === null) return;
  const { order } = row;
  let room = Math.min(tasks, roomOf(run, row));
  const submit = (claims: SliceChange['tasks']): string => {
    const id = sliceId(run.id, step, scope, claims);
    const slice: SliceChange = { id, step, scope, executor, tasks: claims, at };
    run.changes.slices.push(slice);
    commands.push({ kind: 'submit', slice, order });
    return id;
  };
  const again: Task[] = [];
  while (room > 0) {
    const index = row.due.take(at);
    if (index === undefined) break;
    const task = row.tasks.get(index);
    if (task === undefined || task.isRunning) continue;
    again.push(task);
    room -= 1;
  }
  for (let from = 0; from < again.length; from += perSlice) {
    const part = again.slice(from, from + perSlice);
    const slice = submit(part.map(({ index, attempt }) => ({ index, attempt: attempt + 1 })));
    for (const task of part) {
      Object.assign(task, { isRunning: true, attempt: task.attempt + 1, slice, startedAt: at });
      row.counts.retry -= 1;
      begun(run, row, task, at);
      noteTask(run, row, task, { expects: task.attempt - 1, state: 'running' });
    }
  }
  const end = Math.min(row.children ?? 0, row.nextIndex + room);
  while (row.nextIndex < end) {
    const from = row.nextIndex;
    const count = Math.min(perSlice, end - from);
    const slice = submit(Array.from({ length: count }, (_, offset) => ({ index: from + offset, attempt: 1 })));
    run.changes.fresh.push({ step, scope, from, count, slice, at });
    for (let index = from; index < from + count; index++) {
      const task = { index, isRunning: true, attempt: 1, failures: 0, losses: 0, slice, startedAt: at };
      row.tasks.set(index, task);
      begun(run, row, task, at);
    }
    row.nextIndex += count;
  }
  noteRow(run, row);
}

function begun(run: RunInHand, row: Row, { index, attempt }: Task, at: Micros): void {
  row.counts.running += 1;
  countRunning(run, row, 1);
  noteEvent(run, { at, kind: 'claimed', step: row.node.name, scope: row.scope, index, attempt });
}

/** By the tasks alone, so that submitting them twice is submitting them once. */
function sliceId(run: string, step: string, scope: string, tasks: SliceChange['tasks']): string {
  const named = tasks.map(({ index, attempt }) => `${index}.${attempt}`).join(' ');
  return sha256Hex(`${run}\n${step}\n${scope}\n${named}`).slice(0, 32);
}

type Attempted = Extract<EngineEvent, Attempt>;

function attempted(run: RunInHand, event: Attempted, at: Micros): void {
  const row = run.rows.get(event.step)?.get(event.scope);
  const task = row?.tasks.get(event.index);
  if (row === undefined || task === undefined || !task.isRunning || task.attempt !== event.attempt) return;
  if (row.node.kind !== 'step') return;
  const { spec } = row.node;
  row.counts.running -= 1;
  countRunning(run, row, -1);
  task.isRunning = false;
  noteRow(run, row);
  run.agenda.push(row);
  const expects = task.attempt;
  const tell = (kind: string, message?: string): void =>
    noteEvent(run, {
      at,
      kind,
      step: event.step,
      scope: event.scope,
      index: event.index,
      attempt: event.attempt,
      ...(message === undefined ? {} : { message }),
    });
  const ended = (
    state: 'succeeded' | 'failed' | 'cancelled',
    output: TaskOutput | null,
    error: string | null,
  ): void => {
    row.counts[state] += 1;
    row.tasks.delete(task.index);
    noteTask(run, row, task, { expects, state, output, error, endedAt: at });
    tell(state, error ?? undefined);
  };
  const again = (notBefore: Micros, error: string | null, why: string): void => {
    row.counts.retry += 1;
    row.due.add(task.index, notBefore);
    noteTask(run, row, task, { expects, state: 'retry', notBefore, error });
    tell(why, error ?? undefined);
  };
  const failed = (reason: string): void => {
    if (spec.catch === true) return ended('succeeded', { json: JSON.stringify({ error: reason }) }, reason);
    ended('failed', null, reason);
    const tries = task.failures > 1 ? ` after ${task.failures} attempts` : '';
    run.failure ??= `${nameOf(row, task)} failed${tries}: ${reason}`;
  };
  switch (event.kind) {
    case 'succeeded':
      return ended('succeeded', event.output, null);
    case 'stopped':
      return run.isCancelled ? ended('cancelled', null, null) : again(at, null, 'stopped');
    case 'lost':
      task.losses += 1;
      if (task.losses < MOST_LOSSES) return again(at, event.reason, 'lost');
      return failed(`it was lost ${MOST_LOSSES} times: ${event.reason}`);
    case 'failed': {
      task.failures += 1;
      if (event.isFinal || task.failures > spec.retry) return failed(event.reason);
      const seed = `${run.id} ${event.step} ${event.scope} ${event.index} ${event.attempt}`;
      return again(at + retryDelay(task.failures, seed, spec.delay), event.reason, 'failed, will retry');
    }
  }
}

/** For people: step "fit", [17/3] of it. */
function nameOf({ node, scope, children }: Row, { index }: Task): string {
  const place = [scope, ...(children === 1 && node.foreach === undefined ? [] : [index])].filter((one) => one !== '');
  return `step "${node.name}"${place.length === 0 ? '' : `[${place.join('/')}]`}`;
}
