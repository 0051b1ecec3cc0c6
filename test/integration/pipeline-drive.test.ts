// The driver beside a real store: how it waits, and what it does where the database is away.

import { beforeEach, expect, it } from 'vitest';
import { HeadraceError, systemClock } from '../../src/core/index.ts';
import type { StepSpec } from '../../src/definitions/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { openDatabase, putBlob } from '../../src/storage/index.ts';
import { type DriveWorld, onlyExecutor, openDriveWorld, range, stepOf } from '../support/drive-world.ts';
import { createInlineExecutor } from '../support/inline-executor.ts';

let world: DriveWorld;
let store: RunStore;
beforeEach(async () => {
  world = await openDriveWorld();
  ({ store } = world);
});

const taskOf = async (code: string): Promise<StepSpec['action']> => {
  const bundle = await putBlob(world.objects, Buffer.from(`'use strict';\n${code}`));
  return { kind: 'task', function: { id: 'pipeline/p/s', hash: bundle, bundle } };
};
async function begin(code: string, more: Partial<StepSpec> = {}, count = 1): Promise<void> {
  await world.begin({
    name: 'p',
    params: [],
    steps: [stepOf('s', count, { action: await taskOf(code), retry: 1, ...more })],
  });
}

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
  const executor = createInlineExecutor({ objects: world.objects });
  // What gives no promise is left as it is.
  const seen = { ...watched, outputs: store.outputs };
  try {
    return await world.drive(onlyExecutor(executor), { seen });
  } finally {
    await executor.close();
  }
}

it('sleeps until a task is to be tried again', async () => {
  const delay = { delayMicros: 300_000, factor: 1, maxMicros: 300_000, jitter: 0 };
  const code =
    "module.exports = (needs, { attempt }) => { if (attempt === 1) throw new Error('not yet'); return attempt; };";
  await begin(code, { delay });
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
  await begin('module.exports = (needs, { index }) => index * 2;', {}, 60);
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
  await begin('module.exports = () => new Promise(() => {});');
  const driving = drive(() => {});
  await expect.poll(async () => (await world.rowOf('s'))?.counts.running, { timeout: 10_000 }).toBe(1);
  // As if this process had slept past its lease. What another process writes is heard of at once.
  const other = await openDatabase(world.url);
  const { epoch } = await (await openRunStore(other, systemClock)).take('r', 'driver');
  await expect(driving).rejects.toMatchObject({ code: 'HR_CONFLICT' });
  await other.close();
  expect(epoch).toBe(2);
  expect((await store.tasks('r', 's'))[0]).toMatchObject({ state: 'running', attempt: 1 });
});

it('claims what there is room for, of all the items of a group together', async () => {
  const action = await taskOf('module.exports = () => new Promise((done) => setTimeout(done, 20));');
  const group = { name: 'g', foreach: range(30), last: 's' };
  await world.begin({ name: 'p', params: [], groups: [group], steps: [stepOf('s', 1, { in: 'g', action })] });
  let most = 0;
  const { end } = await drive(async (name) => {
    if (name !== 'flush') return;
    const rows = (await store.get('r')).steps.filter((row) => row.step === 's');
    const running = rows.reduce((sum, row) => sum + row.counts.running, 0);
    most = Math.max(most, running);
  });
  expect(end).toBe('succeeded');
  // As many as there is room for; each item by itself had taken as many.
  expect(most).toBeLessThanOrEqual(4);
});
