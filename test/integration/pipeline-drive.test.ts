// The driver beside a real store: how it waits, and what it does where the database is away.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HeadraceError, silentLogger, systemClock } from '../../src/core/index.ts';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import { driveRun } from '../../src/orchestrator/driver/drive-run.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { type Database, openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { createWorld, type ExecutorWorld } from '../support/executor-world.ts';
import { createInlineExecutor } from '../support/inline-executor.ts';

let world: ExecutorWorld;
let database: Database;
let store: RunStore;

beforeEach(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-drive-'));
  const objects = openObjectStore(`file:${join(directory, 'artifacts')}`);
  world = createWorld({ directory, driver: 'driver', objects, executor: createInlineExecutor({ objects }) });
  database = await openDatabase(`sqlite:${world.directory}/runs.db`);
  store = await openRunStore(database, systemClock);
});
afterEach(async () => {
  await world.close();
  await database.close();
});

async function begin(pipeline: PipelineSpec): Promise<void> {
  const steps = pipeline.steps.map(({ name }) => ({ step: name, scope: '' }));
  const run = { id: 'r', pipeline, params: {}, manifestHash: 'm', keepGoing: false, state: 'running', steps } as const;
  await store.create(run);
}

const pipelineOf = async (code: string, more: object = {}, count = 1): Promise<PipelineSpec> => ({
  name: 'p',
  params: [],
  steps: [
    {
      name: 's',
      action: await world.task(code),
      needs: {},
      retry: 1,
      timeoutMicros: null,
      resources: {},
      ...(count === 1 ? {} : { foreach: { kind: 'range', start: 0, end: count } }),
      ...more,
    },
  ],
});

/** `around` sees each call of the store before it is made. */
async function drive(around: (name: string) => void | Promise<void>) {
  const watched = Object.fromEntries(
    Object.entries(store).map(([name, method]) => [
      name,
      async (...args: unknown[]) => {
        await around(name);
        // The method of that name, with what it takes.
        return (method as (...given: unknown[]) => unknown)(...args);
      },
    ]),
  ) as unknown as RunStore;
  const hold = await store.take('r', world.driver);
  const { executor, objects } = world;
  const named = { name: `local:${world.driver}`, executor };
  const executors = { executorOf: () => named, executorNamed: () => named };
  const parts = { objects, clock: systemClock, logger: silentLogger, ...executors };
  // What gives no promise is left as it is.
  return driveRun({ ...parts, store: { ...watched, outputs: store.outputs } }, await store.load('r'), hold);
}

it('sleeps until a task is to be tried again', async () => {
  const delay = { delayMicros: 300_000, factor: 1, maxMicros: 300_000, jitter: 0 };
  const code =
    "module.exports = (needs, { attempt }) => { if (attempt === 1) throw new Error('not yet'); return attempt; };";
  await begin(await pipelineOf(code, { delay }));
  let calls = 0;
  const { end } = await drive(() => void (calls += 1));
  expect(end).toBe('succeeded');
  const tries = (await store.events('r')).filter(({ kind }) => ['failed, will retry', 'claimed'].includes(kind));
  expect(tries.map(({ kind }) => kind)).toEqual(['claimed', 'failed, will retry', 'claimed']);
  expect((tries[2]?.at ?? 0) - (tries[1]?.at ?? 0)).toBeGreaterThanOrEqual(delay.delayMicros);
  // Its rows, and a look whenever somebody may have written something: SQLite tells of that ten times a second at most.
  expect(calls).toBeLessThan(20);
});

it('goes on with what it had to write once the database is back', async () => {
  await begin(await pipelineOf('module.exports = (needs, { index }) => index * 2;', {}, 60));
  let failures = 0;
  const { end } = await drive((name) => {
    if (name !== 'flush' || failures >= 2) return;
    failures += 1;
    throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the database is away');
  });
  expect(end).toBe('succeeded');
  expect(failures).toBe(2);
  const { steps } = await store.get('r');
  expect(steps[0]).toMatchObject({ state: 'succeeded', counts: { succeeded: 60, running: 0, failed: 0 } });
});

it('stops what runs once another has the run, and writes nothing more', async () => {
  await begin(await pipelineOf('module.exports = () => new Promise(() => {});'));
  const driving = drive(() => {});
  await expect.poll(async () => (await store.get('r')).steps[0]?.counts.running, { timeout: 10_000 }).toBe(1);
  // As if this process had slept past its lease. What another process writes is heard of at once.
  const other = await openDatabase(`sqlite:${world.directory}/runs.db`);
  const { epoch } = await (await openRunStore(other, systemClock)).take('r', world.driver);
  await expect(driving).rejects.toMatchObject({ code: 'HR_CONFLICT' });
  await other.close();
  expect(epoch).toBe(2);
  expect((await store.tasks('r', 's'))[0]).toMatchObject({ state: 'running', attempt: 1 });
});

it('claims what there is room for, of all the items of a group together', async () => {
  const action = await world.task('module.exports = () => new Promise((done) => setTimeout(done, 20));');
  const step = { name: 's', in: 'g', action, needs: {}, retry: 0, timeoutMicros: null, resources: {} };
  const group = { name: 'g', foreach: { kind: 'range', start: 0, end: 30 }, last: 's' } as const;
  const pipeline: PipelineSpec = { name: 'p', params: [], groups: [group], steps: [step] };
  const steps = [{ step: 'g', scope: '' }];
  await store.create({ id: 'r', pipeline, params: {}, manifestHash: 'm', keepGoing: false, state: 'running', steps });
  let most = 0;
  const { end } = await drive(async (name) => {
    if (name !== 'flush') return;
    const rows = (await store.get('r')).steps.filter((row) => row.step === 's');
    most = Math.max(
      most,
      rows.reduce((sum, row) => sum + row.counts.running, 0),
    );
  });
  expect(end).toBe('succeeded');
  // As many as there is room for; each item by itself had taken as many.
  expect(most).toBeLessThanOrEqual(4);
});
