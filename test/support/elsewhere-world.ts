// A system that drives runs elsewhere, as tests play it: it puts results into the artifact store, and failures, in any order.

import { systemClock } from '../../src/core/index.ts';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import { failureKey, lossKey } from '../../src/orchestrator/committed/result-key.ts';
import { commitResult } from '../../src/orchestrator/committed/stored-result.ts';
import { storeRunDocument } from '../../src/orchestrator/elsewhere/run-document.ts';
import type { OpenStep, SyncDeps } from '../../src/orchestrator/elsewhere/sync-run.ts';
import { type Database, type ObjectStore, putBlob } from '../../src/storage/index.ts';
import { plainStep } from './plain-step.ts';
import { rowsOf } from './run-rows.ts';

/** All that steps can be to one another. */
export const wide: PipelineSpec = {
  name: 'wide',
  params: [],
  groups: [
    { name: 'country', foreach: { kind: 'range', start: 0, end: 2 }, last: 'best' },
    { name: 'month', foreach: { kind: 'items', items: ['x', 'y'] }, in: 'country', last: 'fit' },
  ],
  steps: [
    plainStep('list'),
    plainStep('square', {
      foreach: { kind: 'result', of: 'list' },
      retry: 2,
      pool: 'narrow',
      parallel: 1,
      cache: true,
    }),
    plainStep('fit', { in: 'month', foreach: { kind: 'grid', axes: { a: [1, 2] } } }),
    plainStep('best', { in: 'country', needs: { month: 'month' } }),
    plainStep('gate'),
    plainStep('big', { needs: { gate: 'gate', country: 'country' }, when: 'gate' }),
    plainStep('small', { needs: { gate: 'gate' }, unless: 'gate' }),
    plainStep('caught', { catch: true }),
    plainStep('none', { foreach: { kind: 'items', items: [] } }),
    plainStep('end', { needs: { square: 'square', small: 'small', none: 'none', caught: 'caught' }, after: 'end' }),
  ],
};

type Put = (objects: ObjectStore) => Promise<unknown>;

/** What comes of a task, one after the other. */
export function putsOf(run: string, step: string, scope: string, index: number): readonly Put[] {
  const task = { run, step, scope, index };
  const result =
    (attempt: number, value: unknown): Put =>
    async (objects) => {
      const json = JSON.stringify(value);
      const output = json.length > 4096 ? { blob: await putBlob(objects, Buffer.from(json)) } : { json };
      return await commitResult(objects, task, { attempt, output, files: {} });
    };
  const failure =
    (attempt: number, final = false): Put =>
    (objects) =>
      put(objects, failureKey(task, attempt), { attempt, cause: 'exit', reason: `no ${attempt}`, final });
  const loss =
    (attempt: number): Put =>
    (objects) =>
      put(objects, lossKey(task, attempt), { attempt, reason: 'evicted' });
  if (step === 'list') return [result(1, [4, 5, 6, 7])];
  if (step === 'gate') return [result(1, true)];
  if (step === 'caught') return [failure(1, true)];
  if (step === 'square' && index === 1) return [failure(1), result(2, 'second')];
  if (step === 'square' && index === 2) return [loss(1), failure(2), failure(3), result(4, 'fourth')];
  if (step === 'square' && index === 3) return [result(3, 'x'.repeat(5000))];
  return [result(1, { step, scope, index })];
}

export function put(objects: ObjectStore, key: string, value: unknown): Promise<boolean> {
  return objects.put(key, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
}

export async function storeRun(
  objects: ObjectStore,
  run: string,
  pipeline: PipelineSpec,
  { keepGoing = false } = {},
): Promise<void> {
  const made = { params: {}, definitions: 'd'.repeat(64), code: [], by: 'argo', createdAt: 1_700_000_000_000_000 };
  await storeRunDocument(objects, { ...made, run, pipeline, keepGoing });
}

/** Puts what open tasks have yet to leave, each with this chance; whether there was any. */
export function otherSystem(objects: ObjectStore, run: string) {
  const done = new Map<string, number>();
  return async (open: readonly OpenStep[], isDue: () => boolean = () => true): Promise<boolean> => {
    let isAny = false;
    for (const { step, scope, tasks } of open) {
      for (let index = 0; index < tasks; index++) {
        const key = `${step} ${scope} ${index}`;
        const puts = putsOf(run, step, scope, index);
        for (let at = done.get(key) ?? 0; at < puts.length && isDue(); at++) {
          await puts[at]?.(objects);
          done.set(key, at + 1);
          isAny = true;
        }
      }
    }
    return isAny;
  };
}

export const syncDeps = (database: Database, objects: ObjectStore, more: Partial<SyncDeps> = {}): SyncDeps => ({
  database,
  objects,
  clock: systemClock,
  workDirectory: '/nowhere',
  ...more,
});

/** A run's rows as they are by its results alone: without who made them, and when. Events of many tasks are one each. */
export async function rowsByResults(database: Database, run: string) {
  const rows = await rowsOf(database);
  const own = <R extends { run_id: string }>(all: readonly R[]): R[] => all.filter(({ run_id: id }) => id === run);
  const events = own(rows.pipeline_events).flatMap(({ number: _number, item_index: index, count, ...event }) =>
    Array.from({ length: count ?? 1 }, (_, at) =>
      JSON.stringify({ ...event, at: 0, index: index === null ? null : index + at }),
    ),
  );
  return {
    run: rows.pipeline_runs
      .filter(({ id }) => id === run)
      .map(({ driver: _d, lease_until: _l, epoch: _e, batch: _b, events: _n, started_at: _s, ...row }) => row),
    steps: own(rows.pipeline_steps),
    tasks: own(rows.pipeline_tasks),
    events: events.sort(),
  };
}
