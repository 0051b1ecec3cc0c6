// The driver beside executors that do not answer at once: what is on its way to one holds up no other, and none of it is left running.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type DriveWorld, executorsOf, openDriveWorld, stepOf } from '../support/drive-world.ts';
import { createFarExecutor, type FarExecutor } from '../support/far-executor.ts';

let world: DriveWorld;
beforeEach(async () => void (world = await openDriveWorld()));
afterEach(() => void vi.useRealTimers());

const begin = (...steps: ReturnType<typeof stepOf>[]) => world.begin({ name: 'p', params: [], steps });
/** `far` by the names of the steps that run there. */
const drive = (far: Readonly<Record<string, FarExecutor>>, signal?: AbortSignal) => {
  const executors = Object.fromEntries(Object.entries(far).map(([name, { executor }]) => [name, executor]));
  return world.drive(executorsOf(executors), signal && { signal });
};
const countsOf = async (step: string) => (await world.rowOf(step))?.counts;
/** One that takes slices once `comeBack` is called, and one that does so at once. */
function awayAndThere() {
  const { promise: back, resolve: comeBack } = Promise.withResolvers<void>();
  return { away: createFarExecutor({ taking: () => back }), there: createFarExecutor(), comeBack };
}

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
  const { away, there, comeBack } = awayAndThere();
  const driving = drive({ away, there });
  await expect.poll(() => there.running.size).toBe(1);
  await world.store.requestCancel('r');
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
  const { away, there, comeBack } = awayAndThere();
  const renew = vi.spyOn(world.store, 'renew');
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
  const { away, comeBack } = awayAndThere();
  const stopping = new AbortController();
  let looks = 0;
  away.onRoom = () => void looks++;
  const driving = drive({ away }, stopping.signal);
  await expect.poll(() => countsOf('away')).toMatchObject({ running: 10 });
  // It waits no longer for the executor's answer: what it claims now is written before it stops.
  const before = looks;
  await expect.poll(() => looks).toBeGreaterThan(before);
  stopping.abort();
  comeBack();
  await driving;
  expect(away.running.size).toBe(0);
  expect(await world.store.tasks('r', 'away')).toHaveLength(10);
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
  const attempts = async () => (await world.store.tasks('r', 's')).map(({ attempt }) => attempt).sort();
  await expect.poll(attempts).toEqual([1, 2, 2, 2, 2, 2, 2, 2]);
  far2.endAll();
  expect(await second).toMatchObject({ end: 'succeeded' });
});

it('ends the slices of a cluster whose step is sent elsewhere by now, and runs them there; others go on where they are', async () => {
  await begin(stepOf('s', 4), stepOf('t', 3));
  const far = { s: createFarExecutor(), t: createFarExecutor() };
  const first = drive(far);
  await expect.poll(() => [far.s.running.size, far.t.running.size]).toEqual([4, 3]);
  const [cluster, other, now] = [createFarExecutor(), createFarExecutor(), createFarExecutor()];
  for (const kept of far.s.running) cluster.running.set(...kept);
  for (const kept of far.t.running) other.running.set(...kept);
  const old = {
    'here:s': { name: 'here:s', executor: cluster.executor, isCluster: true },
    'here:t': { name: 'here:t', executor: other.executor },
  };
  const next = { name: 'here:now', executor: now.executor };
  const second = world.drive({ executorOf: () => next, executorNamed: (name) => old[name as keyof typeof old] });
  await expect(first).rejects.toMatchObject({ code: 'HR_CONFLICT' });
  await expect.poll(() => [cluster, other, now].map(({ running }) => running.size)).toEqual([0, 3, 4]);
  other.endAll();
  now.endAll();
  expect(await second).toMatchObject({ end: 'succeeded' });
  const attempts = async (step: string) => (await world.store.tasks('r', step)).map(({ attempt }) => attempt);
  expect([await attempts('s'), await attempts('t')]).toEqual([
    [2, 2, 2, 2],
    [1, 1, 1],
  ]);
});
