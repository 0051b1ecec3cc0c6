// Tasks of an order run with the artifact store alone: those that have a result are done, the others are run and committed there.

import { HeadraceError, sha256Hex, stringifyJson } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { Executor, TaskEvent } from '../executors/executor.ts';
import { countItems, openPlaces } from '../placement.ts';
import { readOrder, type StepOrder } from '../step/order.ts';
import { commitResult, readResult, storeFailure, storeLoss, type StoredResult } from './stored-result.ts';

export interface RunTasks {
  /** Of a `StepOrder`: `blob:<SHA-256>`. */
  readonly spec: string;
  /** Left out: every task of the order. */
  readonly indexes?: readonly number[];
  /** Which attempt this is, for the tasks to see and for their logs; of each task where they differ. */
  readonly attempt: number | ((index: number) => number);
  /** On abort what runs is ended, and is lost. */
  readonly signal?: AbortSignal;
}

export type TaskEnd = { readonly index: number } & (
  | ({ readonly kind: 'succeeded' /** Another attempt had made it. */; readonly wasThere: boolean } & StoredResult)
  | { readonly kind: 'failed'; readonly reason: string; readonly isFinal: boolean }
  | { readonly kind: 'lost'; readonly reason: string }
);

export interface RanTasks {
  readonly order: StepOrder;
  /** In the order of the indexes. */
  readonly ends: readonly TaskEnd[];
}

/** Throws HR_INVALID for an index that the order has not, HR_ARTIFACT_UNREADABLE, HR_STORAGE_UNAVAILABLE. */
export async function runTasks(
  { objects, executor }: { readonly objects: ObjectStore; readonly executor: Executor },
  { spec, indexes: given, attempt, signal }: RunTasks,
): Promise<RanTasks> {
  const order = await readOrder(objects, spec);
  const attemptAt = typeof attempt === 'number' ? () => attempt : attempt;
  const indexes = given === undefined ? allOf(order) : checkIndexes(order, given);
  const taskOf = (index: number) => ({ run: order.run, step: order.step, scope: order.scope, index });
  const ends = new Map<number, TaskEnd>();
  const missing: number[] = [];
  await eachOf(indexes, async (index) => {
    const stored = await readResult(objects, taskOf(index));
    if (stored === undefined) missing.push(index);
    else ends.set(index, { index, kind: 'succeeded', wasThere: true, ...stored });
  });
  const endOf = async (event: TaskEvent): Promise<TaskEnd | undefined> => {
    const { index } = event;
    const attempt = attemptAt(index);
    switch (event.kind) {
      case 'started':
        return undefined;
      case 'succeeded': {
        const { output, files } = event;
        return {
          index,
          kind: 'succeeded',
          ...(await commitResult(objects, taskOf(index), { attempt, output, files })),
        };
      }
      case 'failed':
        await storeFailure(objects, taskOf(index), attempt, event);
        return { index, kind: 'failed', reason: event.reason, isFinal: event.isFinal };
      case 'lost':
        await storeLoss(objects, taskOf(index), attempt, event.reason);
        return { index, kind: 'lost', reason: event.reason };
    }
  };
  missing.sort((a, b) => a - b);
  const tasks = missing.map((index) => ({ index, attempt: attemptAt(index) }));
  const slice = {
    id: sha256Hex(stringifyJson([order.run, order.step, order.scope, tasks])).slice(0, 32),
    spec,
    tasks,
  };
  if (missing.length > 0) for (const end of await endsOf(executor, slice, endOf, signal)) ends.set(end.index, end);
  return {
    order,
    ends: indexes.map((index) => ends.get(index) ?? { index, kind: 'lost', reason: 'it was stopped before it ended' }),
  };
}

/** Of a slice whose tasks are all told of, or that was stopped: then of those that ended first. */
async function endsOf(
  executor: Executor,
  slice: { readonly id: string; readonly spec: string; readonly tasks: readonly { index: number; attempt: number }[] },
  endOf: (event: TaskEvent) => Promise<TaskEnd | undefined>,
  signal: AbortSignal | undefined,
): Promise<readonly TaskEnd[]> {
  const ends: TaskEnd[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const storing = new Set<Promise<void>>();
  const unwatch = executor.watch((events) => {
    for (const event of events) {
      const stored = endOf(event).then((end) => {
        storing.delete(stored);
        if (end !== undefined) ends.push(end);
        if (ends.length === slice.tasks.length) resolve();
      }, reject);
      storing.add(stored);
    }
  });
  const handles = await executor.submit([slice]);
  const stop = (): void => {
    executor
      .cancel(handles)
      .then(() => Promise.all(storing))
      .then(() => resolve(), reject);
  };
  if (signal?.aborted === true) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', stop);
    unwatch();
  }
  return ends;
}

/** How many are looked up at once. */
const LOOKS_AT_ONCE = 32;

async function eachOf(indexes: readonly number[], look: (index: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < indexes.length; from += LOOKS_AT_ONCE)
    await Promise.all(indexes.slice(from, from + LOOKS_AT_ONCE).map(look));
}

function allOf(order: StepOrder): readonly number[] {
  const { numberAt } = openPlaces(order.placement);
  return Array.from({ length: countItems(order) }, (_, place) => numberAt(place));
}

function checkIndexes(order: StepOrder, indexes: readonly number[]): readonly number[] {
  const count = countItems(order);
  const { placeOf } = openPlaces(order.placement);
  const bad = indexes.find((index) => (placeOf(index) ?? count) >= count);
  if (bad === undefined) return [...new Set(indexes)];
  if (order.placement !== undefined) {
    const sentence = `the step ${order.step} has no task ${bad}: its items were edited, and the tasks that it has by now are those of its slices`;
    throw new HeadraceError('HR_INVALID', sentence);
  }
  const sentence = `the step ${order.step} has ${count} ${count === 1 ? 'task, 0' : `tasks, 0 to ${count - 1}`}, and no ${bad}; name one of them`;
  throw new HeadraceError('HR_INVALID', sentence);
}
