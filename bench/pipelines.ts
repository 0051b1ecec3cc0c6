// Whole runs: rows, driver, executor and warm processes together, beside the same work by a bare loop over the same executor.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { silentLogger, systemClock } from '../src/core/index.ts';
import type { PipelineSpec, StepSpec } from '../src/definitions/index.ts';
import { driveRun } from '../src/orchestrator/driver/drive-run.ts';
import type { RunInHand } from '../src/orchestrator/engine/run-in-hand.ts';
import { openRunStore } from '../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../src/orchestrator/rows/run-store.ts';
import { openDatabase } from '../src/storage/index.ts';
import { type ExecutorWorld, openExecutorWorld } from '../test/support/executor-world.ts';
import { findPostgres, startPostgres } from '../test/support/postgres-server.ts';
import { median } from './median.ts';
import { type Figure, type Section, whole } from './report.ts';

const MOST_SECONDS = { SQLite: 2, Postgres: 4 } as const;
const MOST_CACHED_SECONDS = 1;
const MOST_SHOWN_MS = 200;
const LEAST_LARGE_PER_SECOND = 10_000;
/** What a run's driver has more in memory at the end of a large step than after the first tenth of it: nothing by task. */
const MOST_GROWTH_MIB = 8;

export async function pipelinesSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const sizes = isQuick ? { tasks: 2000, rounds: 1 } : { tasks: 20_000, rounds: 3 };
  const large = isQuick ? 50_000 : 1_000_000;
  const figures: Figure[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-runs-'));
  try {
    figures.push(...(await measure('SQLite', `sqlite:${join(folder, 'runs.db')}`, sizes)));
    figures.push(...(await measureLarge(`sqlite:${join(folder, 'large.db')}`, large)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (findPostgres() !== undefined) {
    const postgres = await startPostgres();
    try {
      figures.push(...(await measure('Postgres', await postgres.newDatabase(), sizes)));
    } finally {
      await postgres.stop();
    }
  }
  return {
    title: 'Whole runs of pipelines',
    about: `A run of ${whole(sizes.tasks)} TypeScript tasks that do nothing and one that takes all their results, driven from its first row to its last by two warm processes; SQLite’s commits are durable, the tests’ Postgres does not sync. Then the same again where every task is cached, and what the list and the picture of such a run cost. Medians of ${sizes.rounds}. At last one step of ${whole(large)} tasks, once, with what its driver’s heap holds after a collection, a tenth of the way and at the end.`,
    figures,
  };
}

async function measure(
  name: keyof typeof MOST_SECONDS,
  url: string,
  { tasks, rounds }: { readonly tasks: number; readonly rounds: number },
): Promise<Figure[]> {
  const world = openExecutorWorld({ cpus: 2 });
  const database = await openDatabase(url);
  try {
    const store = await openRunStore(database, systemClock);
    const [plain, cached, list, show]: [number[], number[], number[], number[]] = [[], [], [], []];
    // The first starts the processes.
    await seconds(() => run(world, store, 'first', 2, false));
    await seconds(() => run(world, store, 'filled', tasks, true));
    for (let round = 0; round < rounds; round++) {
      plain.push(await seconds(() => run(world, store, `plain ${round}`, tasks, false)));
      cached.push(await seconds(() => run(world, store, `cached ${round}`, tasks, true)));
      list.push(1000 * (await seconds(() => store.list())));
      show.push(1000 * (await seconds(() => store.get(`plain ${round}`))));
    }
    return [
      figureOf(`${name}, ${whole(tasks)} tasks`, median(plain), MOST_SECONDS[name], tasks),
      figureOf(`${name}, ${whole(tasks)} cached tasks`, median(cached), MOST_CACHED_SECONDS, tasks),
      {
        name: `${name}, listed and shown`,
        value: `${median(list).toFixed(1)} and ${median(show).toFixed(1)} ms`,
        mustBe: `≤ ${MOST_SHOWN_MS} ms each`,
        isReached: Math.max(median(list), median(show)) <= MOST_SHOWN_MS,
      },
    ];
  } finally {
    await world.close();
    await database.close();
  }
}

async function measureLarge(url: string, tasks: number): Promise<Figure[]> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // V8's own, there by the flag
  const world = openExecutorWorld({ cpus: 2 });
  const database = await openDatabase(url);
  try {
    const store = await openRunStore(database, systemClock);
    const heaps: number[] = [];
    let told = 0;
    const onChange = ({ rows }: RunInHand): void => {
      // The world's own list of what it heard is none of the driver's.
      world.forget();
      const done = rows.get('each')?.get('')?.counts.succeeded ?? 0;
      if (done < told + tasks / 10) return;
      told = done;
      collect();
      heaps.push(process.memoryUsage().heapUsed);
    };
    const taken = await seconds(() => run(world, store, 'large', tasks, false, onChange));
    const growth = ((heaps.at(-1) ?? NaN) - (heaps[0] ?? NaN)) / 2 ** 20;
    return [
      {
        name: `SQLite, ${whole(tasks)} tasks of one step`,
        value: `${whole(tasks / taken)} tasks/s`,
        mustBe: `≥ ${whole(LEAST_LARGE_PER_SECOND)}/s`,
        isReached: tasks / taken >= LEAST_LARGE_PER_SECOND,
      },
      {
        name: 'its driver’s heap, from a tenth of the way to the end',
        value: `${growth >= 0 ? '+' : ''}${growth.toFixed(1)} MiB`,
        mustBe: `≤ +${MOST_GROWTH_MIB} MiB`,
        isReached: growth <= MOST_GROWTH_MIB,
      },
    ];
  } finally {
    await world.close();
    await database.close();
  }
}

function figureOf(name: string, taken: number, most: number, tasks: number): Figure {
  return {
    name,
    value: `${taken.toFixed(2)} s (${whole(tasks / taken)} tasks/s)`,
    mustBe: `≤ ${most} s`,
    isReached: taken <= most,
  };
}

async function run(
  world: ExecutorWorld,
  store: RunStore,
  id: string,
  tasks: number,
  isCached: boolean,
  onChange?: (run: RunInHand) => void,
): Promise<void> {
  const step = async (name: string, code: string, more: Partial<StepSpec>): Promise<StepSpec> => {
    const action = await world.task(code);
    return { name, action, needs: {}, retry: 0, timeoutMicros: null, resources: {}, ...more };
  };
  const foreach = { kind: 'range', start: 0, end: tasks } as const;
  const pipeline: PipelineSpec = {
    name: 'p',
    params: [],
    steps: [
      await step('each', 'module.exports = () => null;', { foreach, ...(isCached ? { cache: true } : {}) }),
      await step('all', 'module.exports = ({ each }) => each.length;', { needs: { each: 'each' } }),
    ],
  };
  const steps = pipeline.steps.map(({ name }) => ({ step: name, scope: '' }));
  await store.create({ id, pipeline, params: {}, manifestHash: 'm', keepGoing: false, state: 'running', steps });
  const named = { name: `local:${world.driver}`, executor: world.executor };
  const { objects, driver } = world;
  const parts = {
    store,
    objects,
    clock: systemClock,
    logger: silentLogger,
    executorOf: () => named,
    executorNamed: () => named,
    ...(onChange === undefined ? {} : { onChange }),
  };
  const hold = await store.take(id, driver);
  const { end, error } = await driveRun(parts, await store.load(id), hold);
  if (end !== 'succeeded') throw new Error(`run ${id} ${end}: ${error}`);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}
