// How far a run is, step by step, for whoever watches it.

import { addUpRows } from './add-up-rows.ts';
import type { StepState, TaskCounts } from './engine/batch.ts';
import type { Node } from './engine/graph.ts';
import { poolOf } from './engine/pools.ts';
import { hasEnded, type Row, type RunInHand } from './engine/run-in-hand.ts';
import type { PoolHolder } from './rows/run-store.ts';

export interface StepProgress {
  readonly name: string;
  readonly isGroup: boolean;
  /** How many groups lie around it. */
  readonly depth: number;
  readonly state: StepState;
  /** Tasks of a step, items of a group: of those that have opened. Null until one opens. */
  readonly children: number | null;
  readonly counts: TaskCounts;
  /** Of the task that has run longest, as it goes on. */
  readonly longestMicros: number | null;
  /** Steps and groups that it waits for. */
  readonly waitsFor: readonly string[];
  /** Of an open step whose run could use more slots than it has: who else has some, as far as it is known by now. */
  readonly waitsForPool?: PoolWait;
}

export interface PoolWait {
  readonly pool: string;
  /** The run's own. */
  readonly slots: number;
  readonly holders: readonly { readonly run: string; readonly slots: number; readonly isDriven: boolean }[];
}

/** Of a step in a group: the items that are open; what is done is in its group's counts. */
export function progressOf(run: RunInHand, now: number, holders: readonly PoolHolder[]): readonly StepProgress[] {
  return [...run.graph.nodes.values()].map((node) => {
    const rows = [...(run.rows.get(node.name)?.values() ?? [])];
    const [first] = rows;
    const longest = longestOf(rows);
    const wait = rows.some(({ state }) => state === 'open') ? poolWait(run, node, holders) : undefined;
    return {
      name: node.name,
      isGroup: node.kind === 'group',
      depth: node.around.length,
      state: stateOf(run, rows, node.around.at(-1)),
      ...addUpRows(rows),
      longestMicros: longest === null ? null : now - longest,
      waitsFor: first === undefined || first.state !== 'waiting' ? [] : waitedFor(run, first),
      ...(wait === undefined ? {} : { waitsForPool: wait }),
    };
  });
}

function poolWait(run: RunInHand, node: Node, all: readonly PoolHolder[]): PoolWait | undefined {
  const pool = poolOf(run, node);
  const holders = all.filter((one) => one.pool === pool?.name);
  // Before anybody was seen to have them it has only just asked.
  if (pool === undefined || pool.wanted <= pool.held || holders.length === 0) return undefined;
  return {
    pool: pool.name,
    slots: pool.held,
    holders: holders.map(({ run: id, slots, isDriven }) => ({ run: id, slots, isDriven })),
  };
}

function longestOf(rows: readonly Row[]): number | null {
  let first: number | null = null;
  for (const { tasks } of rows)
    for (const { isRunning, startedAt } of tasks.values())
      if (isRunning && (first === null || startedAt < first)) first = startedAt;
  return first;
}

/** A step in a group that has no item open: what its group is. */
function stateOf(run: RunInHand, rows: readonly Row[], group: string | undefined): StepState {
  if (rows.length === 0 && group !== undefined) {
    const around = [...(run.rows.get(group)?.values() ?? [])].map(({ state }) => state);
    return around.every((state) => hasEnded(state)) ? (around[0] ?? 'waiting') : 'waiting';
  }
  const states = rows.map(({ state }) => state);
  return (
    (['open', 'failed', 'waiting', 'cancelled', 'succeeded', 'skipped'] as const).find((one) => states.includes(one)) ??
    'waiting'
  );
}

function waitedFor(run: RunInHand, { node }: Row): readonly string[] {
  return node.needs.filter((need) => [...(run.rows.get(need)?.values() ?? [])].some(({ state }) => !hasEnded(state)));
}
