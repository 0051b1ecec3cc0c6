// Claims: tasks that are handed over, or taken from an earlier run that had done the same.

import { type Micros, sha256Hex } from '../../core/index.ts';
import type { SliceChange } from './batch.ts';
import { noteCopied, noteEvent, noteRow, noteTask } from './changes.ts';
import type { Command, EngineEvent } from './events.ts';
import { freeSlots, poolOf } from './pools.ts';
import { countRunning, type Row, type RunInHand, type Task } from './run-in-hand.ts';
import { mayClaim } from './settle.ts';

/** How many more of its tasks may run at once. */
export function roomOf(run: RunInHand, row: Row): number {
  return Math.min(parallelRoom(run, row), freeSlots(poolOf(run, row.node)));
}

export function parallelRoom(run: RunInHand, { node }: Row): number {
  const parallel = node.kind === 'step' ? node.spec.parallel : undefined;
  return parallel === undefined ? Infinity : parallel - (run.running.get(node.name) ?? 0);
}

/** The first of a step's tasks of which it is not known yet whether they are cached. */
export function freshEnd({ ahead, end }: Row): number {
  return ahead?.until ?? end ?? 0;
}

/** Takes the outputs of the tasks that are next, as far as they are cached. */
export function copyHits(run: RunInHand, row: Row, at: Micros): void {
  const { ahead, node, scope } = row;
  if (ahead === null) return;
  for (;;) {
    const hit = ahead.hits.get(row.nextIndex);
    if (hit === undefined) return;
    ahead.hits.delete(hit.index);
    row.nextIndex += 1;
    row.counts.succeeded += 1;
    noteRow(run, row);
    noteCopied(run, row, hit, at);
    noteEvent(run, { at, kind: 'cached', step: node.name, scope, index: hit.index });
  }
}

/** The next of a step's tasks that is cached, or else the first of which that is not known. */
function untilHit({ ahead, end, nextIndex }: Row): number {
  if (ahead === null) return end ?? 0;
  let index = nextIndex;
  while (index < ahead.until && !ahead.hits.has(index)) index += 1;
  return index;
}

/** Hands tasks over, those first that are to be tried again; what is cached takes no room. */
export function claim(
  run: RunInHand,
  { step, scope, tasks, perSlice, executor }: Extract<EngineEvent, { kind: 'room' }>,
  at: Micros,
  commands: Command[],
): void {
  const row = run.rows.get(step)?.get(scope);
  if (row === undefined || !run.claimable.has(row) || !mayClaim(run, row) || row.order === null) return;
  const { order } = row;
  const code = run.codes.get(step) ?? null;
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
      Object.assign(task, { isRunning: true, attempt: task.attempt + 1, slice, code, startedAt: at });
      row.counts.retry -= 1;
      begun(run, row, task, at);
      noteTask(run, row, task, { expects: task.attempt - 1, state: 'running' });
    }
  }
  for (;;) {
    copyHits(run, row, at);
    const from = row.nextIndex;
    const count = Math.min(perSlice, room, untilHit(row) - from);
    if (count <= 0) break;
    const slice = submit(Array.from({ length: count }, (_, offset) => ({ index: from + offset, attempt: 1 })));
    run.changes.fresh.push({ step, scope, from, count, slice, at, code });
    for (let index = from; index < from + count; index++) {
      const task = { index, isRunning: true, attempt: 1, failures: 0, losses: 0, slice, code, startedAt: at };
      row.tasks.set(index, task);
      begun(run, row, task, at);
    }
    row.nextIndex += count;
    room -= count;
  }
  noteRow(run, row);
  run.agenda.push(row);
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
