// What tests of several machines do to a world of sales: nights of files, runs beside servers that die at each step, and the counts at the end.

import { expect } from 'vitest';
import type { Fault } from './fault-points.ts';
import type { StartOptions } from './machines.ts';
import type { Traffic } from './sales-traffic.ts';
import type { SalesWorld } from './sales-world.ts';

export const MINUTES = 60_000;

/** Steps, told apart by commas. */
export const listed = (steps: string): string[] => steps.split(/,\s+/);

/** Files of a night, then sales that only came by push since. */
export async function night(traffic: Traffic): Promise<void> {
  await traffic.file('kept');
  await traffic.file('nightly');
}

/** A run that does all its views; the writers live, and get the time that they need to answer. */
export const runsWell = (world: SalesWorld, start: StartOptions = {}) =>
  expect.poll(() => world.run('c', { ...start, askTimeoutMs: 5000 }), { timeout: 60_000 }).toMatch(/^done /);

/** Nothing is missing by now, or will be in a while. */
export const isWhole = (traffic: Traffic) =>
  expect.poll(() => traffic.checkNow().then(() => 'whole', String), { timeout: 60_000 }).toBe('whole');

/** All is over: whatever is left is settled, one run counts it, the first or a later one, and again from nothing but files and logs. */
export async function expectExact(world: SalesWorld, traffic: Traffic, start: StartOptions = {}, isFirst = true) {
  await world.during(() => traffic.checkNow(), traffic.stop());
  await world.makePeace(['a', 'b'], start);
  await traffic.checkNow();
  if (isFirst) expect(await world.run('c', start)).toMatch(/^done /);
  else await runsWell(world, start);
  await traffic.checkEnd();
  expect(traffic.acknowledged).toBeGreaterThan(100);
}

/** Runs with faults beside the servers' sweep, then without, until that has ended; every fault is met. */
export async function expectMet(
  world: SalesWorld,
  traffic: Traffic,
  servers: Promise<string[]>,
  faults: readonly Fault[],
  start: (at: number) => StartOptions,
): Promise<void> {
  let isOver = false;
  const sweeping = servers.finally(() => (isOver = true));
  const running = (async () => {
    const each = async (at: number): Promise<void> => void (at % 2 === 0 && (await night(traffic)));
    const missed = await world.sweepRuns('c', faults, { each, start });
    while (!isOver) await world.run('c', start(0));
    return missed;
  })();
  const missed = await world.during(() => traffic.checkNow(), Promise.all([sweeping, running]));
  expect(missed.flat()).toEqual([]);
}
