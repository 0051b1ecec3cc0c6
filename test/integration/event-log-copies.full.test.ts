// Machines that are started from the disk of another: one that was killed, twice at once, and one that serves on. Each sale that was
// acknowledged counts once.
// twin: test/integration/event-log-copies.test.ts > is taken over by one of two machines that start with it at once, when nobody reports any more

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { faultsAt } from '../support/fault-points.ts';
import { expectExact, isWhole, night, runsWell } from '../support/machine-sweeps.ts';
import { endSpares } from '../support/machines.ts';
import { openSalesWorld, type SalesWorld } from '../support/sales-world.ts';

/** Longer than the 10 s after which a writer that reports nothing may be taken over. */
const LEASE_MS = 13_000;

let world: SalesWorld;
let directory: string;
afterEach(async () => {
  await world.close();
  rmSync(directory, { recursive: true, force: true });
});
afterAll(endSpares);

async function begin() {
  directory = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
  const variables = { HEADRACE_ONLINE_MAP_SIZE: '1GB' };
  world = await openSalesWorld({ online: `lmdb:${directory}`, variables });
  await Promise.all([world.serve('a'), world.serve('b')]);
  const traffic = world.startTraffic();
  await night(traffic);
  await runsWell(world);
  await sleep(300);
  return traffic;
}

const copyDisk = (from: string, to: string): void =>
  cpSync(world.machines.place(from, 'push-log'), world.machines.place(to, 'push-log'), { recursive: true });
const copies = ['d', 'e'];
const writers = async () => (await world.sales.app.log()).writers();

describe('a disk of a machine', { timeout: 180_000 }, () => {
  it.each([
    ['two copies', []],
    ['two copies, of which one dies as it has put what it settled', faultsAt('SIGKILL', 'after objects.put 1')],
    ['two copies, of which one dies once it has shipped what it settled', faultsAt('SIGKILL', 'after dead.ship 1')],
  ])('that was killed, started as %s at once, is settled by one of them', async (_, faults) => {
    const traffic = await begin();
    await world.killServer('a');
    const dead = (await writers()).filter(({ state }) => state === 'open').map(({ number }) => number);
    for (const copy of copies) copyDisk('a', copy);
    await Promise.all(copies.map((copy, at) => world.serve(copy, at === 0 ? { faults } : {})));
    const open = async () => (await writers()).filter(({ number, state }) => dead.includes(number) && state === 'open');
    // That of b lives.
    await expect.poll(async () => (await open()).length, { timeout: 60_000, interval: 200 }).toBe(1);
    // It may have died with a log of its own, which is settled where it lies.
    await world.killServer('d');
    await world.serve('d');
    await isWhole(traffic);
    await expectExact(world, traffic);
  });

  it('that serves on, started as another one, is left alone, also after the first was killed and started again', async () => {
    const traffic = await begin();
    copyDisk('a', 'd');
    const copy = await world.serve('d');
    await sleep(LEASE_MS);
    expect(await copy.saidLine('warning the folder of writer')).toMatch(/is a copy/);
    await world.killServer('a');
    await world.serve('a');
    await isWhole(traffic);
    await expectExact(world, traffic);
  });
});
