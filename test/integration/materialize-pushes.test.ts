// Materialize beside pushes, with real ingestion: whatever comes by file, by push or by both counts once, at every moment. And runs
// that get in each other's way, or whose store goes away under them: the later run decides.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import {
  type HeadraceError,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_SECOND,
  type Progress,
  type Row,
} from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { materialize, type MaterializedView } from '../../src/offline/index.ts';
import { type RunLink, runOfBase } from '../../src/online/index.ts';
import { eachWorld } from '../support/each-world.ts';
import { NOW, openPushesWorld, sale } from '../support/materialize-pushes.ts';
import { endWriter, TYPES, writeCuts } from '../support/offline-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const HOUR = MICROS_PER_HOUR;
const DAY = MICROS_PER_DAY;

describe.each(onlineStoreKinds())('materialize into $name, where files bring what was pushed', ({ prepare }) => {
  const world = eachWorld(() => openPushesWorld({ prepare }));

  it('counts an event once, at every moment, that was pushed and comes again by file', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - DAY, 1)]);
    await world.run();
    await world.push(sale('a', NOW - HOUR, 2));
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 3, lastPrice: 2, last: 2 });
    world.clock.now += HOUR;
    await world.file('sales-2.parquet', [sale('a', NOW - HOUR, 2)]);
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 3, lastPrice: 2, last: 2 });
    const [sold] = await world.run();
    expect(sold).toMatchObject({ state: 'finished', full: false, keys: 1, heldBy: [] });
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 3, lastPrice: 2, last: 2 });
    await world.run({ incremental: false });
    for (const later of [0, HOUR, 2 * DAY])
      expect(await world.read('a', world.clock.now + later)).toMatchObject({ count: 2n, sum: 3, last: 2 });
  });

  it('finds incrementally a file that holds only what was known long before the last run', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - 2 * DAY, 1)]);
    await world.run();
    world.clock.now += HOUR;
    await world.file('sales-2.parquet', [sale('a', NOW - 3 * DAY, 3), sale('b', NOW - 4 * DAY, 7)]);
    const views = await world.run();
    expect(views.map(({ state, keys, full }) => ({ state, keys, full }))).toEqual([
      { state: 'finished', keys: 2, full: false },
      { state: 'finished', keys: 2, full: false },
    ]);
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 4, lastPrice: 1 });
    expect(await world.read('b')).toMatchObject({ count: 1n, sum: 7, last: 7 });
  });

  it('takes from the record what the files were to bring and did not', async () => {
    await world.push(sale('a', NOW - 2 * HOUR, 1), sale('b', NOW - 2 * HOUR, 1));
    await world.file('sales-1.parquet', [sale('b', NOW - HOUR, 9)]);
    await world.run();
    // Covered is covered.
    expect(await world.read('a')).toMatchObject({ count: 0n, last: null, lastStatus: 'NOT_FOUND' });
    expect(await world.read('b')).toMatchObject({ count: 1n, sum: 9, last: 9 });
  });

  it('deletes the parts that a base counts, and no others', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - DAY, 1)]);
    await world.run();
    await world.push(sale('a', NOW - HOUR, 2));
    await world.run();
    await world.push(sale('a', NOW - HOUR / 2, 3));
    const parts: number[] = [];
    for (const view of ['sold', 'last']) {
      const [row] = await world.rowsOf(view);
      for await (const { record } of world.store.scan('shop', row?.version ?? '')) parts.push(record.parts.length);
    }
    expect(parts).toEqual([1, 1]);
    expect(await world.read('a')).toMatchObject({ count: 3n, sum: 6, last: 3 });
  });

  it('counts the values that a column’s type of now cannot say: of all, then of what is new', async () => {
    const source = world.manifest.sources['sales'] as SourceSpec;
    const texts = source.columns.map((column) =>
      column.name === 'price' ? { ...column, type: TYPES.string } : column,
    );
    const push = async (...prices: (string | null)[]) => {
      const rows = prices.map((price) => ({ row: { shop: 'a', at: NOW - HOUR, price }, knownMicros: NOW - HOUR }));
      const writer = await world.log.register();
      await writeCuts(writer, [{ batches: [{ source: { ...source, columns: texts }, rows }] }]);
      await endWriter(writer);
    };
    await world.file('sales-1.parquet', [sale('b', NOW - DAY, 1)]);
    await push('1.5', 'cheap', null, 'dear');
    const ofViews = (price: number) =>
      ['sold', 'last'].map((view) => expect.objectContaining({ view, unconverted: price === 0 ? {} : { price } }));
    expect(await world.run({ dryRun: true })).toEqual(ofViews(2));
    expect(await world.run()).toEqual(ofViews(2));
    expect(world.warnings).toContainEqual({ view: 'sold', source: 'sales', unconverted: { price: 2 } });
    expect((await world.rowsOf('sold')).at(-1)?.counts).toMatchObject({ unconverted: { price: 2 } });
    await push('2', 'cheap');
    expect(await world.run()).toEqual(ofViews(1));
    await push('3');
    expect(await world.run()).toEqual(ofViews(0));
    expect(await world.run({ incremental: false })).toEqual(ofViews(3));
    expect(await world.read('a')).toMatchObject({ count: 7n, sum: 6.5 });
  });

  it('says who holds the boundary, and moves it once that writer answers', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - DAY, 1)]);
    await world.run();
    const silent = world.openIngestion({ isSilent: true });
    await silent.push('sales', [{ shop: 'a', at: '2023-11-14T22:00:00Z', price: 2 }]);
    world.clock.now += HOUR;
    await world.file('sales-2.parquet', [sale('a', NOW - 5 * MICROS_PER_SECOND, 8)]);
    const held = await world.run();
    expect(held[0]).toMatchObject({ boundary: '2023-11-13T22:13:20Z', heldBy: [{ writer: 1 }], state: 'finished' });
    expect(world.warnings).toContainEqual(expect.objectContaining({ view: 'sold', writer: 1 }));
    // The file's sale is past the boundary, so the log's word counts there.
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 3, last: 2 });
    const [moved] = await Promise.all([world.run(), lookFor(silent, 60)]);
    expect(moved[0]).toMatchObject({ boundary: '2023-11-14T22:13:15Z', heldBy: [], state: 'finished' });
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 9, last: 8 });
  });

  it('has each writer cut for each view, so that what comes late counts by the boundary that is in force', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - DAY, 1)]);
    await world.push(sale('a', NOW - HOUR, 2));
    expect(await world.log.writers()).toMatchObject([{ cut: 1 }]);
    const views = await world.run();
    expect(views).toMatchObject([
      { view: 'sold', state: 'finished', coverage: [{ writer: 1, cut: 1 }] },
      { view: 'last', state: 'finished', coverage: [{ writer: 1, cut: 2 }] },
    ]);
    expect(await world.log.writers()).toMatchObject([{ cut: 3 }]);
    // Files hold all of that day, and it isn't there.
    await world.push(sale('late', NOW - DAY - HOUR, 7));
    expect(await world.read('late')).toMatchObject({ count: 0n, sum: null });
    // A view that nothing is due for asks nobody, and one that is named twice runs once.
    await world.push(sale('a', NOW - HOUR, 3));
    expect(await world.run({ views: ['last', 'last'] })).toMatchObject([{ view: 'last', state: 'finished' }]);
    expect(await world.log.writers()).toMatchObject([{ cut: 4 }]);
    expect(await world.read('a')).toMatchObject({ count: 3n, sum: 6, last: 3 });
  });

  it('waits for a cut once where no boundary moves: what is shipped by then was there before the command', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - DAY, 1)]);
    await world.push(sale('a', NOW - HOUR, 2));
    await world.run();
    await world.push(sale('a', NOW - HOUR, 3));
    expect(await world.run()).toMatchObject(
      ['sold', 'last'].map((view) => ({ view, state: 'finished', keys: 1, coverage: [{ cut: 3 }], heldBy: [] })),
    );
    expect(await world.read('a')).toMatchObject({ count: 3n, sum: 6, last: 3 });
  });

  it('says of no writer that it holds a boundary which stays anyway', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - DAY, 1)]);
    await world.run();
    await world.openIngestion({ isSilent: true }).push('sales', [{ shop: 'a', at: '2023-11-14T22:00:00Z', price: 2 }]);
    expect(await world.run({ incremental: false })).toMatchObject([{ heldBy: [] }, { heldBy: [] }]);
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 3, last: 2 });
  });

  it('stops where there is no boundary to keep', async () => {
    const silent = world.openIngestion({ isSilent: true });
    await silent.push('sales', [{ shop: 'a', at: '2023-11-14T22:00:00Z', price: 2 }]);
    await world.file('sales-1.parquet', [sale('a', NOW - DAY, 1)]);
    const error = await world.run().catch((thrown: HeadraceError) => thrown);
    expect(error).toMatchObject({
      code: 'HR_BOUNDARY_HELD',
      message: expect.stringMatching(/writer 1 on .*`headrace log forget` is for/),
    });
    expect((await world.rowsOf('sold'))[0]).toMatchObject({ state: 'abandoned', boundary: null });
    expect(await world.read('a')).toMatchObject({ count: 1n, last: 2 });
  });
});

describe.each(onlineStoreKinds())('materialize into $name, where pushes are kept', ({ prepare }) => {
  const world = eachWorld(() => openPushesWorld({ prepare }, { kind: 'pushed', location: {}, pushes: 'keep' }));

  it('writes no row where the log brought nothing new', async () => {
    await world.push(sale('a', NOW - HOUR, 1));
    await world.run();
    const views = await world.run();
    expect(views.map(({ state, run }) => `${state} ${run}`)).toEqual(['up-to-date null', 'up-to-date null']);
    const states = async () => (await world.rowsOf('sold')).map(({ state }) => state);
    expect(await states()).toEqual(['finished']);
    await world.run();
    // What never opened goes, but for the last.
    expect(await states()).toEqual(['finished']);
    await world.push(sale('b', NOW - HOUR, 1));
    expect((await world.run())[0]).toMatchObject({ state: 'finished', keys: 1 });
  });

  it('asks once for all views that nothing is new for, and nobody where no server is alive', async () => {
    await world.push(sale('a', NOW - HOUR, 1));
    await world.run();
    const before = (await world.log.writers())[0]?.cut ?? 0;
    const states = async () => (await world.run()).map(({ state }) => state);
    expect(await states()).toEqual(['up-to-date', 'up-to-date']);
    expect(await world.log.writers()).toMatchObject([{ cut: before + 1 }]);
    await world.push(sale('a', NOW - HOUR, 2));
    const [sold, last] = await world.run();
    expect([sold?.state, last?.state]).toEqual(['finished', 'finished']);
    expect(last?.coverage).toEqual(sold?.coverage);
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 3, last: 2 });
    await world.stopPushes();
    // What it shipped last holds nothing.
    expect(await states()).toEqual(['up-to-date', 'up-to-date']);
    const writer = await world.log.register();
    const other = { ...(world.manifest.sources['sales'] as SourceSpec), name: 'other' };
    const rows = [{ row: { shop: 'a', at: NOW - HOUR, price: 9 }, knownMicros: NOW - HOUR }];
    await writeCuts(writer, [{ batches: [{ source: other, rows }] }]);
    await endWriter(writer);
    expect(await states()).toEqual(['up-to-date', 'up-to-date']);
    await world.push(sale('a', NOW - HOUR, 3));
    // No number was given in between.
    expect((await world.run())[0]).toMatchObject({ state: 'finished', run: (last?.run ?? 0) + 1 });
  });

  it('lets the later of pushes with the same times win, before a run and after', async () => {
    await world.push(sale('a', NOW - HOUR, 9));
    await world.push(sale('a', NOW - HOUR, 1), sale('a', NOW - HOUR, 4));
    // The same known time: what was pushed at one moment.
    expect(await world.read('a')).toMatchObject({ count: 3n, lastPrice: 4, last: 4 });
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 3n, lastPrice: 4, last: 4 });
    await world.push(sale('a', NOW - HOUR, 2));
    expect(await world.read('a')).toMatchObject({ count: 4n, lastPrice: 2, last: 2 });
    await world.run({ incremental: false });
    expect(await world.read('a')).toMatchObject({ count: 4n, lastPrice: 2, last: 2 });
  });

  it('heals by the next run what a run under a clock 300 days ahead wrote', async () => {
    await world.push(sale('a', NOW - HOUR, 1), sale('b', NOW - HOUR, 1));
    await world.run();
    world.clock.now = NOW + 300 * DAY;
    await world.push(sale('a', NOW + 1, 2));
    await world.run();
    world.clock.now = NOW + HOUR;
    await world.push(sale('a', NOW + 2, 3), sale('b', NOW + 2, 3));
    const views = await world.run();
    expect(views.map(({ state }) => state)).toEqual(['finished', 'finished']);
    // What arrived under the wrong clock is known only then, by its own word.
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 4, last: 3 });
    expect(await world.read('b')).toMatchObject({ count: 2n, sum: 4, last: 3 });
    expect(await world.read('a', NOW + 301 * DAY)).toMatchObject({ last: 3 });
  });
});

async function lookFor(ingestion: { look(): Promise<void> }, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await ingestion.look();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const SCRIPT = new URL('../support/materialize-shops-once.ts', import.meta.url).pathname;
const SHOPS = 20_000;

const doing = (some: Partial<Progress>): Progress => ({ start() {}, advance() {}, done() {}, ...some });
const everyShop = (price: number, but: (shop: number) => boolean = () => true): Row[] =>
  Array.from({ length: SHOPS }, (_, i) => i)
    .filter(but)
    .map((i) => sale(`shop ${i}`, NOW - MICROS_PER_DAY, price));

describe.each(onlineStoreKinds())('materialize into $name', ({ name, prepare }) => {
  const world = eachWorld(() => openPushesWorld({ prepare }));

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

  /** Calls once a view is about to be written. */
  const whenItWrites = (view: string, act: () => void): Progress =>
    doing({ start: (what) => void (what === `materialize ${view}` && act()) });

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
    expect((await world.rowsOf('last')).map(({ number, state }) => `${number} ${state}`)).toEqual([
      '2 finished',
      '3 finished',
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
    const progress = doing({
      advance() {
        const path = join(world.directory, 'sales-1.parquet');
        if (isFirst) truncateSync(path, statSync(path).size - 1);
        isFirst = false;
      },
    });
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
    const progress = doing({
      advance() {
        if (++advances === 3) cuts += cutRuns(port);
      },
    });
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
    const progress = doing({
      // The row is open, and the node not yet begun.
      start() {
        if (!isLost) redis('flushall');
        isLost = true;
      },
    });
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
    const progress = doing({
      advance() {
        death ??= server.kill();
      },
    });
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
