// What has yet to be written of a run: noted as it happens, taken as one batch.

import type { Micros } from '../../core/index.ts';
import type { Batch, PoolChange, RunEvent, StepChange, TaskChange } from './batch.ts';
import type { CacheHit } from './events.ts';
import type { Row, RunInHand, Task } from './run-in-hand.ts';

export function noteRow({ changes }: RunInHand, row: Row): void {
  changes.rows.add(row);
}

export function noteTask(
  { changes }: RunInHand,
  { node, scope }: Row,
  task: Task,
  now: Pick<TaskChange, 'expects' | 'state'> & Partial<Pick<TaskChange, 'output' | 'error' | 'endedAt' | 'notBefore'>>,
): void {
  const { index, attempt, failures, losses, slice, code, startedAt } = task;
  changes.tasks.push({
    step: node.name,
    scope,
    index,
    attempt,
    failures,
    losses,
    slice,
    code,
    startedAt,
    notBefore: 0,
    output: null,
    error: null,
    endedAt: null,
    from: null,
    ...now,
  });
}

export function noteSlots({ changes }: RunInHand, change: PoolChange): void {
  changes.pools.set(change.pool, change);
}

/** A task that has no row yet, and is done by what an earlier run gave. */
export function noteCopied(
  { changes, codes }: RunInHand,
  { node, scope }: Row,
  { index, output, run }: CacheHit,
  at: Micros,
): void {
  changes.tasks.push({
    step: node.name,
    scope,
    index,
    expects: null,
    state: 'succeeded',
    attempt: 0,
    failures: 0,
    losses: 0,
    notBefore: 0,
    output,
    error: null,
    from: run,
    slice: null,
    code: codes.get(node.name) ?? null,
    startedAt: at,
    endedAt: at,
  });
}

/** One that goes on from the last of its kind, without words of its own, is told with it. */
export function noteEvent({ changes }: RunInHand, event: RunEvent): void {
  const { events, newest } = changes;
  const { kind, step, scope, index, attempt, message, at } = event;
  if (index === undefined || message !== undefined) {
    events.push(event);
    return;
  }
  const key = `${kind}\n${step}\n${scope}\n${attempt}`;
  const place = newest.get(key);
  const before = place === undefined ? undefined : events[place];
  if (place !== undefined && before?.index !== undefined && before.index + (before.count ?? 1) === index) {
    events[place] = { ...before, at, count: (before.count ?? 1) + 1 };
    return;
  }
  newest.set(key, events.length);
  events.push({ ...event, count: 1 });
}

/** How much waits to be written, in rows. */
export function pendingRows({ changes }: RunInHand): number {
  return (
    changes.tasks.length +
    changes.fresh.reduce((sum, { count }) => sum + count, 0) +
    changes.rows.size +
    changes.pools.size
  );
}

/** Takes what has been noted; null where there is nothing. */
export function takeBatch(run: RunInHand, now: Micros): Batch | null {
  const { changes } = run;
  const { fresh, tasks, dropped, slices, pools, events } = changes;
  const isEmpty = changes.rows.size === 0 && events.length === 0 && tasks.length === 0 && pools.size === 0;
  if (isEmpty && !changes.hasEnded) return null;
  const batch: Batch = {
    run: changes.hasEnded && run.end !== null ? { state: run.end, error: run.failure, endedAt: now } : null,
    steps: [...changes.rows].map(asChange),
    fresh,
    tasks,
    dropped,
    slices,
    pools: [...pools.values()],
    events,
    cached: [],
  };
  changes.rows.clear();
  changes.newest.clear();
  changes.pools.clear();
  Object.assign(changes, { fresh: [], tasks: [], dropped: [], slices: [], events: [], hasEnded: false });
  return batch;
}

function asChange(row: Row): StepChange {
  const { node, scope, state, children, nextIndex, end, counts, order, list: items, placement, error } = row;
  const { openedAt, endedAt } = row;
  const at = { step: node.name, scope };
  return {
    ...at,
    state,
    children,
    nextIndex,
    end,
    counts: { ...counts },
    order,
    items,
    placement,
    error,
    openedAt,
    endedAt,
  };
}
