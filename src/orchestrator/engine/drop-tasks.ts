// Takes out of a run what was begun for items that it has no more: their counts, what is to be tried again, and what runs.

import type { Micros } from '../../core/index.ts';
import type { NumberRange } from '../placement.ts';
import type { NamesInside } from './batch.ts';
import { noteRow } from './changes.ts';
import type { Attempt, Command } from './events.ts';
import { type Graph, scopeAround, scopeInside } from './graph.ts';
import { countRunning, type Row, type RunInHand } from './run-in-hand.ts';

/** Of a step its tasks by number, of a group its items with all that lies in them. What of it runs is to be ended by the command. */
export function dropTasks(
  run: RunInHand,
  row: Row,
  numbers: readonly NumberRange[],
  at: Micros,
  commands: Command[],
): void {
  const { node, scope } = row;
  const attempts: Attempt[] = [];
  const inside = node.kind === 'group' ? namesInside(run.graph, node.name) : undefined;
  for (const [first, count] of numbers) {
    for (let number = first; number < first + count; number++) {
      if (inside === undefined) dropTask(run, row, number, attempts);
      else dropItem(run, row, number, inside, attempts);
    }
    run.changes.events.push({ at, kind: 'dropped', step: node.name, scope, index: first, count });
  }
  run.changes.dropped.push({ step: node.name, scope, numbers, ...(inside === undefined ? {} : { inside }) });
  noteRow(run, row);
  if (attempts.length > 0) commands.push({ kind: 'drop', attempts });
}

function dropTask(run: RunInHand, row: Row, number: number, attempts: Attempt[]): void {
  const task = row.tasks.get(number);
  // Of those that have ended, a row that is made ready anew has none but those that succeeded.
  if (task === undefined) {
    row.counts.succeeded -= 1;
    return;
  }
  row.tasks.delete(number);
  if (!task.isRunning) {
    row.counts.retry -= 1;
    return;
  }
  row.counts.running -= 1;
  countRunning(run, row, -1);
  attempts.push({ step: row.node.name, scope: row.scope, index: number, attempt: task.attempt });
}

function dropItem(run: RunInHand, group: Row, number: number, inside: NamesInside, attempts: Attempt[]): void {
  if (!group.items.delete(number)) {
    group.counts.succeeded -= 1;
    return;
  }
  group.counts.running -= 1;
  const item = scopeInside(group.scope, number);
  const depth = group.node.around.length + 1;
  for (const name of [...inside.direct, ...inside.deeper]) {
    const rows = run.rows.get(name);
    for (const row of rows?.values() ?? []) {
      if (scopeAround(row.scope, depth) !== item) continue;
      for (const index of row.tasks.keys()) dropTask(run, row, index, attempts);
      rows?.delete(row.scope);
      run.claimable.delete(row);
    }
  }
}

function namesInside(graph: Graph, group: string): NamesInside {
  const direct = (graph.inside.get(group) ?? []).map(({ name }) => name);
  const deeper = direct.flatMap((name) => {
    const names = namesInside(graph, name);
    return [...names.direct, ...names.deeper];
  });
  return { direct, deeper };
}
