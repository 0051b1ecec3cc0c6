// The driver beside executors that do not answer at once: what is on its way to one holds up no other, and none of it is left running.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import { driveRun } from '../../src/orchestrator/driver/drive-run.ts';
import type { Executor } from '../../src/orchestrator/executors/executor.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { type Database, type ObjectStore, openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { createFarExecutor, type FarExecutor } from '../support/far-executor.ts';
import { plainStep } from '../support/plain-step.ts';

let folder = '';
let database: Database;
let objects: ObjectStore;
let store: RunStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-slices-'));
  database = await openDatabase(`sqlite:${folder}/runs.db`);
  objects = openObjectStore(`file:${folder}/artifacts`);
  store = await openRunStore(database, systemClock);
});
afterEach(async () => {
  vi.useRealTimers();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const stepOf = (name: string, count = 1) =>
  plainStep(name, count === 1 ? {} : { foreach: { kind: 'range', start: 0, end: count } });

async function begin(...steps: PipelineSpec['steps']): Promise<void> {
  const pipeline: PipelineSpec = { name: 'p', params: [], steps };
  const keys = steps.map(({ name }) => ({ step: name, scope: '' }));
  const run = { id: 'r', pipeline, params: {}, manifestHash: 'm', keepGoing: false, state: 'running' } as const;
  await store.create({ ...run, steps: keys });
}

/** `far` by the names of the steps that run there. */
async function drive(far: Readonly<Record<string, FarExecutor>>, signal?: AbortSignal) {
  const hold = await store.take('r', 'driver');
  const named = new Map(Object.entries(far).map(([name, { executor }]) => [name, { name: `far:${name}`, executor }]));
  const executorOf = ({ name }: { readonly name: string }) => named.get(name) as { name: string; executor: Executor }; // of each step
  const executorNamed = (name: string) => named.get(name.slice('far:'.length));
  const deps = { store, objects, clock: systemClock, logger: silentLogger, executorOf, executorNamed };
  const loaded = await store.load('r');
  return driveRun({ ...deps, ...(signal === undefined ? {} : { signal }) }, loaded, hold);
}

const countsOf = async (step: string) => (await store.get('r')).steps.find((row) => row.step === step)?.counts;

it('hands nothing over any more that it was about to, once it is told to stop', async () => {
  await begin(stepOf('s'));
  const far = createFarExecutor();
  const stopping = new AbortController();
  // Between the look for room and the claim.
  far.onRoom = () => stopping.abort();
  expect(await drive({ s: far }, stopping.signal)).toMatchObject({ end: 'interrupted' });
  expect([...far.running.keys()]).toEqual([]);
  expect(await countsOf('s')).toMatchObject({ running: 0, retry: 1 });
});

it('ends what was on its way to an executor when it is cancelled, and what others have meanwhile', async () => {
  await begin(stepOf('away'), stepOf('there'));
  const { promise: back, resolve: comeBack } = Promise.withResolvers<void>();
  const away = createFarExecutor(() => back);
  const there = createFarExecutor();
  const driving = drive({ away, there });
  await expect.poll(() => there.running.size).toBe(1);
  await store.requestCancel('r');
  await expect.poll(() => there.running.size).toBe(0);
  await expect.poll(() => countsOf('there')).toMatchObject({ running: 0, cancelled: 1 });
  expect(away.running.size).toBe(0);
  comeBack();
  expect(await driving).toMatchObject({ end: 'cancelled' });
  expect(away.running.size).toBe(0);
});

it('keeps its lease while an executor does not answer, and goes on with the others', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  await begin(stepOf('away'), stepOf('there'));
  const { promise: back, resolve: comeBack } = Promise.withResolvers<void>();
  const away = createFarExecutor(() => back);
  const there = createFarExecutor();
  const renew = vi.spyOn(store, 'renew');
  const driving = drive({ away, there });
  await expect.poll(() => there.running.size).toBe(1);
  there.endAll();
  await expect.poll(() => countsOf('there')).toMatchObject({ succeeded: 1 });
  vi.advanceTimersByTime(5000);
  expect(renew).toHaveBeenCalledTimes(1);
  expect(await renew.mock.results[0]?.value).toBe('held');
  comeBack();
  await expect.poll(() => away.running.size).toBe(1);
  away.endAll();
  expect(await driving).toMatchObject({ end: 'succeeded' });
});

it('claims no more than there is room for while what it claimed is on its way', async () => {
  await begin(stepOf('away', 100));
  const { promise: back, resolve: comeBack } = Promise.withResolvers<void>();
  const away = createFarExecutor(() => back);
  const stopping = new AbortController();
  const driving = drive({ away }, stopping.signal);
  await expect.poll(() => countsOf('away')).toMatchObject({ running: 10 });
  // Longer than an executor is waited for.
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(await countsOf('away')).toMatchObject({ running: 10 });
  stopping.abort();
  comeBack();
  await driving;
  expect(away.running.size).toBe(0);
});

it('asks each executor once for all the slices of the driver before', async () => {
  await begin(stepOf('s', 8));
  const far = createFarExecutor();
  const first = drive({ s: far });
  await expect.poll(() => far.running.size).toBe(8);
  // As if that driver were stopped and its lease had run out: the rows and the slices stay.
  const far2 = createFarExecutor();
  const [kept] = far.running;
  if (kept !== undefined) far2.running.set(...kept);
  const second = drive({ s: far2 });
  await expect(first).rejects.toMatchObject({ code: 'HR_CONFLICT' });
  await expect.poll(() => far2.running.size).toBe(8);
  expect(far2.adopts).toEqual([8]);
  await expect
    .poll(async () => (await store.tasks('r', 's')).map(({ attempt }) => attempt).sort())
    .toEqual([1, 2, 2, 2, 2, 2, 2, 2]);
  far2.endAll();
  expect(await second).toMatchObject({ end: 'succeeded' });
});
