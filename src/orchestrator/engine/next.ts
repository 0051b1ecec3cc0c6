// The reducer: what a run becomes by an event, and what is to be done then. It knows no clock, no database and no executor; the
// same events give the same rows in every process.

import type { Micros } from '../../core/index.ts';
import type { TaskOutput } from './batch.ts';
import { noteEvent, noteRow, noteTask } from './changes.ts';
import { claim, copyHits, freshEnd, parallelRoom, roomOf } from './claim.ts';
import { dropTasks } from './drop-tasks.ts';
import type { Attempt, Command, EngineEvent, Prepared } from './events.ts';
import { freeSlots, hearOfPools, poolOf, settlePools } from './pools.ts';
import { type Row, type RunInHand, countRunning, type Task } from './run-in-hand.ts';
import { retryDelay } from './retry-delay.ts';
import { endRow, giveUpRow, mayClaim, rowsInside, settle, startAll } from './settle.ts';

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
      prepared(run, event, at, commands);
      break;
    case 'unprepared': {
      const row = takePreparing(run, event);
      if (row !== undefined) refuse(run, row, event.reason);
      break;
    }
    case 'room':
      claim(run, event, at, commands);
      break;
    case 'looked up':
      lookedUp(run, event, at);
      break;
    case 'wanted':
    case 'slots':
    case 'pools changed':
      hearOfPools(run, event);
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
  if (run.pools.size > 0 && run.end === null) settlePools(run, commands);
  return commands;
}

/** Steps that have something to claim at this time, and may: those in groups first, so that items that are begun come to an end. */
export function* claimable(run: RunInHand, at: Micros): Generator<Row> {
  const rows = [...run.claimable].sort(
    ({ node: one }, { node: other }) => other.around.length - one.around.length || one.place - other.place,
  );
  for (const row of rows) {
    if (!mayClaim(run, row) || roomOf(run, row) <= 0) continue;
    if (row.due.first() <= at || row.nextIndex < freshEnd(row)) yield row;
  }
}

/** Rows of which only the slots of their pool keep more from being claimed, and how many tasks those have, counted up to `most`. */
export function* shortOfSlots(run: RunInHand, at: Micros, most: number): Generator<{ row: Row; tasks: number }> {
  for (const row of run.claimable) {
    if (freeSlots(poolOf(run, row.node)) > 0 || parallelRoom(run, row) <= 0 || !mayClaim(run, row)) continue;
    const tasks = Math.min(most, freshEnd(row) - row.nextIndex + row.due.countDue(at, most));
    if (tasks > 0) yield { row, tasks };
  }
}

/** When a task that is to be tried again may be claimed; Infinity where there is none. */
export function nextDue(run: RunInHand): Micros {
  let first = Infinity;
  for (const row of run.claimable) if (mayClaim(run, row)) first = Math.min(first, row.due.first());
  return first;
}

function prepared(run: RunInHand, event: Prepared, at: Micros, commands: Command[]): void {
  const row = takePreparing(run, event);
  // Where the run stops meanwhile it stays as it is, and ends with the others.
  if (row === undefined || !mayClaim(run, row)) return;
  if (!event.passes) return giveUpRow(run, row, { state: 'skipped', error: null });
  const { anew } = event;
  if (anew !== undefined && anew.dropped.length > 0) dropTasks(run, row, anew.dropped, at, commands);
  row.children = event.children;
  row.end = anew?.end ?? event.children;
  row.order = event.order;
  row.list = event.items ?? null;
  row.placement = anew?.placement ?? null;
  row.openedAt = at;
  row.state = 'open';
  noteRow(run, row);
  noteEvent(run, { at, kind: 'opened', step: event.step, scope: event.scope, count: event.children });
  if (anew !== undefined && anew.words !== null)
    noteEvent(run, { at, kind: 'edited', step: event.step, scope: event.scope, message: anew.words });
  if (event.children === 0) return endRow(run, row, 'succeeded', at, null);
  if (row.node.kind === 'step') run.claimable.add(row);
  // A group takes its first items, and goes on with those that were begun; a step goes on where it had been left, and may be done.
  run.agenda.push(row, ...rowsInside(run, row));
}

/** Nothing of it can be begun. */
function refuse(run: RunInHand, row: Row, reason: string): void {
  run.failure ??= `step "${row.node.name}": ${reason}`;
  giveUpRow(run, row, { state: 'failed', error: reason });
}

function lookedUp(run: RunInHand, event: Extract<EngineEvent, { kind: 'looked up' }>, at: Micros): void {
  const row = run.rows.get(event.step)?.get(event.scope);
  if (row?.ahead?.isLooking !== true || row.ahead.until !== event.from) return;
  row.ahead.isLooking = false;
  row.ahead.until += event.count;
  for (const hit of event.hits) row.ahead.hits.set(hit.index, hit);
  if (mayClaim(run, row)) copyHits(run, row, at);
  run.agenda.push(row);
}

function takePreparing(run: RunInHand, { step, scope }: { readonly step: string; readonly scope: string }) {
  const row = run.rows.get(step)?.get(scope);
  if (row?.isPreparing !== true) return undefined;
  row.isPreparing = false;
  run.preparing -= 1;
  return row;
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
    run.failure ??= failureText(row, task, reason);
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

/** For people: that a task has failed for good, and why. */
export function failureText(
  row: Pick<Row, 'node' | 'scope' | 'children'>,
  task: Pick<Task, 'index' | 'failures'>,
  reason: string,
): string {
  const tries = task.failures > 1 ? ` after ${task.failures} attempts` : '';
  return `${nameOf(row, task)} failed${tries}: ${reason}`;
}

/** For people: step "fit", [17/3] of it. */
function nameOf(
  { node, scope, children }: Pick<Row, 'node' | 'scope' | 'children'>,
  { index }: Pick<Task, 'index'>,
): string {
  const place = [scope, ...(children === 1 && node.foreach === undefined ? [] : [index])].filter((one) => one !== '');
  return `step "${node.name}"${place.length === 0 ? '' : `[${place.join('/')}]`}`;
}
