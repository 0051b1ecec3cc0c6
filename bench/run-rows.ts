// A run's rows alone: 20,000 tasks claimed and finished in batches of 500, as a driver writes them, on SQLite with durable commits
// and on Postgres; and what lists and pictures of such a run cost.

import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/core/index.ts';
import type { Batch, TaskChange } from '../src/orchestrator/engine/batch.ts';
import { openRunStore } from '../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../src/orchestrator/rows/run-store.ts';
import { type Database, openDatabase } from '../src/storage/index.ts';
import { findPostgres, startPostgres } from '../test/support/postgres-server.ts';
import { batchOf, newRun, NO_TASKS, stepOf } from '../test/support/run-rows.ts';
import { median } from './median.ts';
import { type Figure, type Section, whole } from './report.ts';

const AT_ONCE = 500;
const MOST_SECONDS = 0.8;
const MOST_READ_MS = 200;

export async function runRowsSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const sizes = isQuick ? { tasks: 2000, rounds: 1 } : { tasks: 20_000, rounds: 5 };
  const figures: Figure[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-rows-'));
  try {
    figures.push(...(await measure('SQLite', `sqlite:${join(folder, 'runs.db')}`, folder, sizes)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (findPostgres() !== undefined) {
    const postgres = await startPostgres();
    try {
      figures.push(...(await measure('Postgres', await postgres.newDatabase(), undefined, sizes)));
    } finally {
      await postgres.stop();
    }
  }
  return {
    title: 'Rows of runs',
    about: `A run of ${whole(sizes.tasks)} tasks, claimed and finished in batches of ${AT_ONCE}, each batch one transaction that writes ${AT_ONCE} claims, ${AT_ONCE} ends with an output of 60 bytes, counts, slices and events (medians). SQLite’s commits are durable; beside them as many appends of as many bytes to a file, each synced. The tests’ Postgres does not sync. Then, of that run, what a driver that takes it over loads, and what lists and pictures read.`,
    figures,
  };
}

async function measure(
  name: string,
  url: string,
  folder: string | undefined,
  { tasks, rounds }: { readonly tasks: number; readonly rounds: number },
): Promise<Figure[]> {
  const database = await openDatabase(url);
  try {
    const store = await openRunStore(database, systemClock);
    const [seconds, floors]: number[][] = [[], []];
    const reads: Record<'list' | 'show' | 'load' | 'page', number[]> = { list: [], show: [], load: [], page: [] };
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      const id = `run ${round}`;
      const taken = await drive(store, id, tasks);
      if (round === 0) continue;
      seconds?.push(taken);
      if (folder !== undefined) floors?.push(await syncedAppends(folder, tasks));
      reads.list.push(await millis(() => store.list({ pipeline: 'p' })));
      reads.show.push(await millis(() => store.get(id)));
      reads.load.push(await millis(() => store.load(id)));
      reads.page.push(await millis(() => store.tasks(id, 'fan', { from: tasks / 2 })));
      await checkRows(database, id, tasks);
    }
    const written = median(seconds ?? []);
    const floor = median(floors ?? []);
    const text = (values: readonly number[]): string => `${median(values).toFixed(1)} ms`;
    const most = Math.max(...Object.values(reads).map(median));
    return [
      {
        name: `${name}, ${whole(tasks)} tasks`,
        value: `${written.toFixed(2)} s (${whole(tasks / written)} tasks/s)`,
        ...(folder === undefined
          ? {}
          : { floor: `synced appends: ${floor.toFixed(2)} s`, ratio: (written / floor).toFixed(1) }),
        ...(folder === undefined ? {} : { mustBe: `≤ ${MOST_SECONDS} s`, isReached: written <= MOST_SECONDS }),
      },
      {
        name: `${name}, list, show, load, a page of tasks`,
        value: [reads.list, reads.show, reads.load, reads.page].map(text).join(', '),
        mustBe: `≤ ${MOST_READ_MS} ms each`,
        isReached: most <= MOST_READ_MS,
      },
    ];
  } finally {
    await database.close();
  }
}

/** Seconds from the first claim to the run's end. */
async function drive(store: RunStore, id: string, tasks: number): Promise<number> {
  await store.create(newRun(id));
  const { epoch } = await store.take(id, 'bench/1/a');
  const begin = performance.now();
  for (let number = 1, from = 0; from < tasks + AT_ONCE; number++, from += AT_ONCE) {
    await store.flush(id, epoch, number, batchFrom(id, from, tasks));
  }
  const seconds = (performance.now() - begin) / 1000;
  await store.release(id, epoch);
  return seconds;
}

/** Ends those of the batch before, and claims the next. */
function batchFrom(id: string, from: number, tasks: number): Batch {
  const at = Date.now() * 1000;
  const claimed = Math.min(from + AT_ONCE, tasks);
  const place = { step: 'fan', scope: '' };
  const slice = (first: number): string => `${id} ${String(first).padStart(56, '0')}`;
  const isFirst = from === 0;
  const isLast = from >= tasks;
  const ended: TaskChange[] = [];
  for (let index = from - AT_ONCE; !isFirst && index < from; index++) {
    const output = { json: `{"index":${index},"score":0.123456789,"path":"out/${index}.parquet"}` };
    const none = { failures: 0, losses: 0, notBefore: 0, error: null, from: null };
    const times = { startedAt: at - 5000 + index, endedAt: at - index };
    ended.push({
      ...place,
      index,
      expects: 1,
      state: 'succeeded',
      attempt: 1,
      ...none,
      output,
      slice: slice(from - AT_ONCE),
      code: null,
      ...times,
    });
  }
  const counts = { ...NO_TASKS, running: claimed - from, succeeded: Math.max(0, from) };
  const state = isLast ? 'succeeded' : 'open';
  const range = { ...place, count: AT_ONCE, attempt: 1, at };
  return batchOf({
    run: isLast ? { state: 'succeeded', error: null, endedAt: at } : null,
    steps: [
      stepOf({
        state,
        children: tasks,
        nextIndex: claimed,
        counts: isLast ? { ...NO_TASKS, succeeded: tasks } : counts,
      }),
    ],
    fresh: isLast ? [] : [{ ...place, from, count: AT_ONCE, slice: slice(from), at, code: null }],
    tasks: ended,
    slices: isLast
      ? []
      : [
          {
            ...place,
            id: slice(from),
            executor: 'local',
            tasks: Array.from({ length: AT_ONCE }, (_, index) => ({ index: from + index, attempt: 1 })),
            at,
          },
        ],
    events: [
      ...(isFirst ? [] : [{ ...range, kind: 'succeeded', index: from - AT_ONCE }]),
      ...(isLast ? [] : [{ ...range, kind: 'claimed', index: from }]),
    ],
  });
}

async function checkRows(database: Database, id: string, tasks: number): Promise<void> {
  const { count } = await database
    .tables<{ pipeline_tasks: { run_id: string; state: string } }>()
    .selectFrom('pipeline_tasks')
    .select((expression) => expression.fn.countAll<number>().as('count'))
    .where('run_id', '=', id)
    .where('state', '=', 'succeeded')
    .executeTakeFirstOrThrow();
  if (count !== tasks) throw new Error(`run ${id} has ${count} finished tasks, expected ${tasks}`);
}

/** Seconds of as many synced appends as there are batches, of 200 bytes a task. */
async function syncedAppends(folder: string, tasks: number): Promise<number> {
  const file = await open(join(folder, 'appends'), 'a');
  try {
    const bytes = Buffer.alloc(AT_ONCE * 200, 'x');
    const begin = performance.now();
    for (let from = 0; from < tasks + AT_ONCE; from += AT_ONCE) {
      await file.write(bytes);
      await file.datasync();
    }
    return (performance.now() - begin) / 1000;
  } finally {
    await file.close();
  }
}

async function millis(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}
