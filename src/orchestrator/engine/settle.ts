// What follows from what has ended: steps that become ready, are skipped or given up, items and groups that are done, and the
// end of the run.

import type { Micros } from '../../core/index.ts';
import type { StepState } from './batch.ts';
import { noteEvent, noteRow, noteTask } from './changes.ts';
import { scopeAround, scopeInside, scopeItems } from './graph.ts';
import type { Command } from './events.ts';
import { addRow, groupOf, hasEnded, itemOf, noteEnd, type Row, type RunInHand, type Task } from './run-in-hand.ts';

/** Items of one group that are open at once: enough to keep any number of machines at work, and few enough to hold in memory. */
const MOST_ITEMS = 1000;
/** Tasks of a step whose outputs are looked up at once. */
const AHEAD = 1000;

/** Looks at every row once. */
export function startAll(run: RunInHand): void {
  for (const rows of run.rows.values()) run.agenda.push(...rows.values());
}

/** Whether anything of a row may still begin. */
export function mayClaim(run: RunInHand, { node, ending }: Row): boolean {
  if (run.isCancelled || ending !== null) return false;
  return run.failure === null || run.keepsGoing || (node.kind === 'step' && node.spec.after === 'end');
}

/** Ends a row for good, of which nothing runs; who waits for it is looked at next. */
export function endRow(
  run: RunInHand,
  row: Row,
  state: Exclude<StepState, 'waiting' | 'open'>,
  at: Micros,
  error: string | null,
): void {
  for (const task of row.tasks.values()) cancelTask(run, row, task, at);
  row.state = state;
  row.error = error;
  row.endedAt = at;
  row.openedAt ??= at;
  row.ending = null;
  run.claimable.delete(row);
  noteRow(run, row);
  const { node, scope } = row;
  noteEvent(run, { at, kind: `step ${state}`, step: node.name, scope, ...(error === null ? {} : { message: error }) });
  for (const other of run.graph.waiting.get(node.name) ?? [])
    for (const waiting of run.rows.get(other.name)?.values() ?? [])
      if (waiting.state === 'waiting' && scopeAround(waiting.scope, node.around.length) === scope)
        run.agenda.push(waiting);
  const item = itemOf(run, row);
  if (item === undefined) return;
  item.left -= 1;
  noteEnd(item, state);
  const group = groupOf(run, row);
  if (item.left > 0 || group === undefined) return;
  group.done.push(scopeItems(scope).at(-1) ?? 0);
  run.agenda.push(group);
}

/** What is to be tried again is not. */
function cancelTask(run: RunInHand, row: Row, task: Task, at: Micros): void {
  row.tasks.delete(task.index);
  row.counts.retry -= 1;
  row.counts.cancelled += 1;
  noteTask(run, row, task, { expects: task.attempt, state: 'cancelled', endedAt: at });
}

/** Ends a row, with what lies in it, though it has not come to its end: once what runs of it has ended, which is told of as ever. */
export function giveUpRow(run: RunInHand, row: Row, ending: NonNullable<Row['ending']>): void {
  for (const inner of rowsInside(run, row))
    if (!hasEnded(inner.state) && inner.ending === null) giveUpRow(run, inner, { state: 'cancelled', error: null });
  row.ending = ending;
  run.agenda.push(row);
}

function endGivenUp(run: RunInHand, row: Row, { state, error }: NonNullable<Row['ending']>, at: Micros): void {
  closeItems(run, row);
  if (row.items.size > 0 || (row.node.kind === 'step' && row.counts.running > 0)) return;
  endRow(run, row, row.counts.failed > 0 ? 'failed' : state, at, error);
}

/** Until nothing follows any more. */
export function settle(run: RunInHand, at: Micros, commands: Command[]): void {
  for (;;) {
    for (let turn = 0; turn < run.agenda.length; turn++) {
      const row = run.agenda[turn];
      if (row !== undefined) look(run, row, at, commands);
    }
    run.agenda.length = 0;
    const isStopping = run.isCancelled || (run.failure !== null && !run.keepsGoing);
    if (!isStopping || run.runningTasks > 0 || run.preparing > 0 || !giveUp(run)) break;
  }
  if (run.end === null && run.whole.left === 0) endRun(run, at, commands);
}

function look(run: RunInHand, row: Row, at: Micros, commands: Command[]): void {
  if (hasEnded(row.state)) return;
  if (row.ending !== null) endGivenUp(run, row, row.ending, at);
  else if (row.state === 'waiting') consider(run, row, commands);
  else if (row.node.kind === 'group') fill(run, row, at);
  else {
    lookAhead(run, row, commands);
    endStepWhereDone(run, row, at);
  }
}

/** Before the tasks of which it is known whether they are cached run out. */
function lookAhead(run: RunInHand, { node, scope, ahead, end, nextIndex, order }: Row, commands: Command[]): void {
  if (ahead === null || ahead.isLooking || order === null || run.isCancelled) return;
  const count = Math.min(AHEAD, (end ?? 0) - ahead.until);
  if (count <= 0 || ahead.until - nextIndex >= AHEAD) return;
  ahead.isLooking = true;
  commands.push({ kind: 'look up', step: node.name, scope, order, from: ahead.until, count });
}

/** Begins a row whose needs have ended well, and ends one whose needs never will. */
function consider(run: RunInHand, row: Row, commands: Command[]): void {
  if (row.isPreparing) return;
  const { node, scope } = row;
  // Of a run that goes on by other code it is not known yet how many items there are.
  const group = groupOf(run, row);
  if (group !== undefined && group.state !== 'open') return;
  let isSkipped = false;
  let broken: string | undefined;
  for (const need of node.needs) {
    const depth = run.graph.nodes.get(need)?.around.length ?? 0;
    const state = run.rows.get(need)?.get(scopeAround(scope, depth))?.state ?? 'waiting';
    if (!hasEnded(state)) return;
    if (state === 'skipped') isSkipped = true;
    else if (state !== 'succeeded')
      broken ??= `it needs "${need}", which ${state === 'failed' ? 'failed' : 'was not run'}`;
  }
  const runsAfterAll = node.kind === 'step' && node.spec.after === 'end';
  if (broken !== undefined && !runsAfterAll) return giveUpRow(run, row, { state: 'cancelled', error: broken });
  // Of a group in an item what was begun is to be gone on with where the item is.
  const isBegunInside = node.kind === 'group' && scope !== '' && row.nextIndex > 0;
  if (isSkipped && !runsAfterAll)
    return giveUpRow(run, row, { state: isBegunInside ? 'cancelled' : 'skipped', error: null });
  if (!mayClaim(run, row)) return;
  row.isPreparing = true;
  run.preparing += 1;
  commands.push({ kind: 'prepare', step: node.name, scope });
}

function endStepWhereDone(run: RunInHand, row: Row, at: Micros): void {
  const { counts, nextIndex, end } = row;
  if (counts.running > 0 || counts.retry > 0 || nextIndex < (end ?? 0)) return;
  endRow(run, row, counts.failed > 0 ? 'failed' : counts.cancelled > 0 ? 'cancelled' : 'succeeded', at, null);
}

/** Counts a group's items that are done; of a step there are none. */
function closeItems(run: RunInHand, row: Row): void {
  const inside = run.graph.inside.get(row.node.name) ?? [];
  for (let index = row.done.pop(); index !== undefined; index = row.done.pop()) {
    const item = row.items.get(index);
    if (item === undefined) continue;
    row.items.delete(index);
    row.counts.running -= 1;
    row.counts[item.hasFailed ? 'failed' : item.hasCancelled ? 'cancelled' : 'succeeded'] += 1;
    const scope = scopeInside(row.scope, index);
    for (const node of inside) run.rows.get(node.name)?.delete(scope);
    noteRow(run, row);
  }
}

/** Closes a group's items that are done, opens others in their place, and ends it after the last. */
function fill(run: RunInHand, row: Row, at: Micros): void {
  const inside = run.graph.inside.get(row.node.name) ?? [];
  closeItems(run, row);
  while (row.items.size < MOST_ITEMS && row.nextIndex < (row.end ?? 0) && mayClaim(run, row)) {
    const scope = scopeInside(row.scope, row.nextIndex);
    row.nextIndex += 1;
    row.counts.running += 1;
    for (const node of inside) {
      const made = addRow(run, node, scope);
      noteRow(run, made);
      run.agenda.push(made);
    }
    noteRow(run, row);
  }
  if (row.items.size > 0 || (row.nextIndex < (row.end ?? 0) && mayClaim(run, row))) return;
  const { failed, cancelled } = row.counts;
  const isCut = cancelled > 0 || row.nextIndex < (row.end ?? 0);
  endRow(run, row, failed > 0 ? 'failed' : isCut ? 'cancelled' : 'succeeded', at, null);
}

/** Ends what never will go on in a run that stops, once nothing runs; whether there was any. What runs after all the others stays. */
function giveUp(run: RunInHand): boolean {
  let isChanged = false;
  for (const rows of run.rows.values()) {
    for (const row of rows.values()) {
      if (hasEnded(row.state) || row.ending !== null || mayClaim(run, row)) continue;
      if (row.node.kind === 'group' && row.state === 'open') {
        // It ends with its items.
        if (row.items.size === 0) run.agenda.push(row);
        continue;
      }
      isChanged = true;
      giveUpRow(run, row, { state: 'cancelled', error: null });
    }
  }
  return isChanged || run.agenda.length > 0;
}

/** Rows right inside a group's open items; of a step none. */
export function rowsInside({ graph, rows }: RunInHand, { node, scope, items }: Row): readonly Row[] {
  const inside = graph.inside.get(node.name) ?? [];
  return [...items.keys()].flatMap((item) =>
    inside.flatMap(({ name }) => rows.get(name)?.get(scopeInside(scope, item)) ?? []),
  );
}

function endRun(run: RunInHand, at: Micros, commands: Command[]): void {
  run.end = run.failure !== null ? 'failed' : run.isCancelled ? 'cancelled' : 'succeeded';
  run.changes.hasEnded = true;
  noteEvent(run, { at, kind: run.end, ...(run.failure === null ? {} : { message: run.failure }) });
  commands.push({ kind: 'end' });
}
