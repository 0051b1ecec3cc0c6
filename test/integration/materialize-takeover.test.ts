// Runs that get in each other's way, or whose store goes away under them: the later run decides, and nothing that an
// earlier one does late is seen.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type HeadraceError, MICROS_PER_DAY, type Progress, type Row } from '../../src/core/index.ts';
import { type MaterializedView, materialize } from '../../src/offline/index.ts';
import { type RunLink, runOfBase } from '../../src/online/index.ts';
import { NOW, openPushesWorld, type PushesWorld, sale } from '../support/materialize-pushes.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const SCRIPT = new URL('../support/materialize-shops-once.ts', import.meta.url).pathname;
const SHOPS = 20_000;

const everyShop = (price: number, but: (shop: number) => boolean = () => true): Row[] =>
  Array.from({ length: SHOPS }, (_, i) => i)
    .filter(but)
    .map((i) => sale(`shop ${i}`, NOW - MICROS_PER_DAY, price));

describe.each(onlineStoreKinds())('materialize into $name', ({ name, prepare }) => {
  let world: PushesWorld;
  beforeEach(async () => {
    world = await openPushesWorld({ prepare });
  });
  afterEach(() => world.close());

  const lastVersion = async () => (await world.rowsOf('last'))[0]?.version ?? '';

  /** Numbers of the runs whose bases lie in the store. */
  async function runsInStore(): Promise<ReadonlySet<number>> {
    const runs = new Set<number>();
    for await (const { record } of world.store.scan('shop', await lastVersion())) {
      if (record.base !== undefined) runs.add(runOfBase(record.base));
    }
    return runs;
  }

  it('leaves nothing of a stopped run that wakes up after a later one', { timeout: 60_000 }, async () => {
    await world.file('sales-1.parquet', everyShop(1));
    const registry = `sqlite:${join(world.directory, 'registry.db')}`;
    const child = spawn(
      process.execPath,
      ['--conditions=headrace-source', SCRIPT, world.directory, world.place.url, registry, String(NOW), '3'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const exited = once(child, 'exit');
    const isStopped = () => readFileSync(`/proc/${child.pid}/stat`, 'utf8').includes(') T ');
    await vi.waitUntil(isStopped, { timeout: 30_000, interval: 20 });
    const [stopped] = await world.rowsOf('last');
    expect(stopped).toMatchObject({ number: 1, state: 'open' });

    await world.file('sales-1.parquet', everyShop(2));
    const [view] = await world.run({ views: ['last'] });
    expect(view).toMatchObject({ state: 'finished', run: 2, full: true, keys: SHOPS });
    expect(await runsInStore()).toEqual(new Set([2]));
    child.kill('SIGCONT');
    await exited;
    expect(said).toMatch(/^HR_MATERIALIZE_BUSY: run 1 of view "last" was taken over by run 2, which began at /);
    expect(await runsInStore()).toEqual(new Set([2]));
    for (const shop of ['shop 0', 'shop 1', `shop ${SHOPS - 1}`])
      expect(await world.read(shop)).toMatchObject({ last: 2 });
    expect((await world.rowsOf('last')).map(({ state }) => state)).toEqual(['abandoned', 'finished']);
  });

  it('of two runs at once the later goes on, and the other says which', async () => {
    await world.file('sales-1.parquet', everyShop(1));
    const both = await Promise.allSettled([
      world.run({ views: ['last'], incremental: false }),
      world.run({ views: ['last'], incremental: false }),
    ]);
    const failed = both.filter((one) => one.status === 'rejected').map(({ reason }) => reason as HeadraceError);
    for (const error of failed) {
      expect(error).toMatchObject({
        code: 'HR_MATERIALIZE_BUSY',
        message: expect.stringMatching(/taken over by run \d+/),
      });
    }
    expect(failed.length).toBeLessThan(2);
    const rows = await world.rowsOf('last');
    expect(rows.at(-1)?.state).toBe('finished');
    expect(await runsInStore()).toEqual(new Set([rows.at(-1)?.number]));
    expect(await world.read('shop 7')).toMatchObject({ last: 1 });
  });

  /** Calls once a view is about to be written. */
  const whenItWrites = (view: string, act: () => void): Progress => ({
    start(what) {
      if (what === `materialize ${view}`) act();
    },
    advance() {},
    done() {},
  });

  it('runs a view that another run took while it waited for its turn', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - MICROS_PER_DAY, 1)]);
    let other: Promise<readonly MaterializedView[]> | undefined;
    const progress = whenItWrites('sold', () => {
      other = world.run({ views: ['last'], incremental: false });
    });
    const slow = { ...world.store, run: async (link: RunLink) => (await other, world.store.run(link)) };
    const request = { incremental: false, dryRun: false };
    const { views } = await materialize({ ...world.deps, store: slow, progress }, request);
    expect(await other).toMatchObject([{ view: 'last', state: 'finished', run: 2 }]);
    expect(views).toMatchObject([
      { view: 'sold', state: 'finished', run: 1 },
      { view: 'last', state: 'finished', run: 3 },
    ]);
    expect((await world.rowsOf('last')).map(({ number, state }) => [number, state])).toEqual([
      [2, 'finished'],
      [3, 'finished'],
    ]);
  });

  it('reads a file as it is at a view’s turn where it was overwritten while the view waited', async () => {
    const path = join(world.directory, 'sales-1.parquet');
    await world.file('sales-2.parquet', [sale('a', NOW - MICROS_PER_DAY, 7)]);
    const other = readFileSync(join(world.directory, 'sales-2.parquet'));
    rmSync(join(world.directory, 'sales-2.parquet'));
    await world.file('sales-1.parquet', [sale('a', NOW - MICROS_PER_DAY, 1)]);
    const progress = whenItWrites('sold', () => writeFileSync(path, other));
    const request = { incremental: false, dryRun: false };
    await expect(materialize({ ...world.deps, progress }, request)).rejects.toMatchObject({
      code: 'HR_SOURCE_CHANGED',
      message: expect.stringContaining('sales-1.parquet'),
    });
    expect(await world.read('a')).toMatchObject({ last: 7 });
    expect((await world.rowsOf('last')).map(({ state }) => state)).toEqual(['finished']);
  });

  it('gives a key whose facts have left the source an empty base', async () => {
    await world.file('sales-1.parquet', everyShop(1));
    await world.run();
    await world.file(
      'sales-1.parquet',
      everyShop(3, (shop) => shop % 1000 !== 0),
    );
    const views = await world.run();
    expect(views.map(({ full, why }) => ({ full, why }))).toEqual(
      Array.from({ length: 2 }, () => ({ full: true, why: expect.stringContaining('sales-1.parquet of run') })),
    );
    expect(await world.read('shop 5000')).toMatchObject({ count: 0n, last: null, lastStatus: 'NOT_FOUND' });
    expect(await world.read('shop 5001')).toMatchObject({ count: 1n, last: 3 });
    expect(views.map(({ keys, written }) => written - keys)).toEqual([20, 20]);
  });

  it('refuses a file that is overwritten while it is read, and marks nothing', async () => {
    await world.file('sales-1.parquet', everyShop(1));
    let isFirst = true;
    const progress = {
      start() {},
      done() {},
      advance() {
        const path = join(world.directory, 'sales-1.parquet');
        if (isFirst) truncateSync(path, statSync(path).size - 1);
        isFirst = false;
      },
    };
    const request = { views: ['last'], incremental: true, dryRun: false };
    await expect(materialize({ ...world.deps, progress }, request)).rejects.toMatchObject({
      code: 'HR_SOURCE_CHANGED',
      message: expect.stringContaining('sales-1.parquet'),
    });
    expect((await world.rowsOf('last'))[0]).toMatchObject({ state: 'abandoned' });
    expect((await world.store.marks(await lastVersion())).map(({ run }) => run)).toEqual([undefined]);
  });

  it.skipIf(name !== 'redis')('writes a node again whose connection is cut in the middle', async () => {
    await world.file('sales-1.parquet', everyShop(1));
    const { port } = new URL(world.place.url);
    let advances = 0;
    let cuts = 0;
    const progress = {
      start() {},
      done() {},
      advance() {
        if (++advances === 3) cuts += cutRuns(port);
      },
    };
    const request = { views: ['last'], incremental: false, dryRun: false };
    const { views } = await materialize({ ...world.deps, progress, retryMs: [10, 10] }, request);
    expect(cuts).toBe(1);
    expect(views[0]).toMatchObject({ state: 'finished', keys: SHOPS, written: SHOPS });
    // More than one pass took.
    expect(advances).toBeGreaterThan(SHOPS / 2048 + 1);
    expect(await runsInStore()).toEqual(new Set([1]));
    expect(await world.read('shop 0')).toMatchObject({ last: 1 });
  });

  it.skipIf(name !== 'redis')('begins anew where a node has lost what an incremental run builds on', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - MICROS_PER_DAY, 1), sale('b', NOW - MICROS_PER_DAY, 1)]);
    await world.run({ views: ['last'] });
    await world.file('sales-2.parquet', [sale('a', NOW - 1, 2)]);
    const { port } = new URL(world.place.url);
    const redis = (...words: string[]) => execFileSync('redis-cli', ['-p', port, ...words], { encoding: 'utf8' });
    let isLost = false;
    const progress = {
      // The row is open, and the node not yet begun.
      start() {
        if (!isLost) redis('flushall');
        isLost = true;
      },
      done() {},
      advance() {},
    };
    const request = { views: ['last'], incremental: true, dryRun: false };
    const { views } = await materialize({ ...world.deps, progress }, request);
    expect(views[0]).toMatchObject({ state: 'finished', run: 3, full: true, keys: 2 });
    expect(await world.read('a')).toMatchObject({ last: 2 });
    expect(await world.read('b')).toMatchObject({ last: 1 });
    const rows = await world.rowsOf('last');
    expect(rows.map(({ state }) => state)).toEqual(['finished', 'abandoned', 'finished']);
    expect(rows[1]?.error).toContain('built on run 1');
  });

  it.skipIf(name !== 'redis')('gives up on a server that stays away, and repairs it by the next run', async () => {
    await world.file('sales-1.parquet', everyShop(1));
    const server = world.place.server;
    if (server === undefined) throw new Error('Redis has a server');
    let death: Promise<void> | undefined;
    const progress = {
      start() {},
      done() {},
      advance() {
        death ??= server.kill();
      },
    };
    const request = { views: ['last'], incremental: true, dryRun: false };
    await expect(materialize({ ...world.deps, progress, retryMs: [10] }, request)).rejects.toMatchObject({
      code: 'HR_ONLINE_UNAVAILABLE',
    });
    expect((await world.rowsOf('last'))[0]).toMatchObject({
      state: 'abandoned',
      error: expect.stringContaining('HR_ONLINE'),
    });
    await death;
    await server.start();
    let views = await world.run({ views: ['last'] }).catch(() => undefined);
    for (let tries = 0; views === undefined && tries < 50; tries++) {
      await sleep(100);
      views = await world.run({ views: ['last'] }).catch(() => undefined);
    }
    expect(views?.[0]).toMatchObject({ state: 'finished', keys: SHOPS });
    expect(await world.read('shop 19')).toMatchObject({ last: 1 });
  });
});

/** Cuts every connection of a run; gives how many. */
function cutRuns(port: string): number {
  const client = (...words: string[]) =>
    execFileSync('redis-cli', ['-p', port, 'client', ...words], { encoding: 'utf8' });
  const ids = [...client('list').matchAll(/^id=(\d+) .* name=hr:run:/gm)].map(([, id]) => id as string);
  for (const id of ids) client('kill', 'id', id);
  return ids.length;
}
