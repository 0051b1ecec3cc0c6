// Materialize beside pushes, with real ingestion: whatever comes by file, by push or by both counts once, at every moment.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HeadraceError, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { NOW, openPushesWorld, type PushesWorld, sale } from '../support/materialize-pushes.ts';
import { endWriter, TYPES, writeCuts } from '../support/offline-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const HOUR = MICROS_PER_HOUR;
const DAY = MICROS_PER_DAY;

describe.each(onlineStoreKinds())('materialize into $name, where files bring what was pushed', ({ prepare }) => {
  let world: PushesWorld;
  beforeEach(async () => {
    world = await openPushesWorld({ prepare });
  });
  afterEach(() => world.close());

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
    for (const later of [0, HOUR, 2 * DAY]) {
      expect(await world.read('a', world.clock.now + later)).toMatchObject({ count: 2n, sum: 3, last: 2 });
    }
  });

  it('counts a push that comes after a run, of an event known before it', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - 3 * DAY, 1)]);
    await world.run();
    world.clock.now += DAY;
    await world.run();
    await world.push(sale('a', NOW - HOUR, 5));
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 6, lastPrice: 5, last: 5 });
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 6, lastPrice: 5, last: 5 });
  });

  it('never hides by a nightly file what was pushed since', async () => {
    await world.push(sale('a', NOW - 2 * HOUR, 1), sale('b', NOW - HOUR, 2));
    world.clock.now += HOUR;
    // Of the day before: none of what was pushed is in it.
    await world.file('sales-night.parquet', [sale('a', NOW - DAY, 4)]);
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 5, lastPrice: 1, last: 1 });
    expect(await world.read('b')).toMatchObject({ count: 1n, sum: 2, lastPrice: 2, last: 2 });
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

  it('goes by the log while the object store is away, and catches up', async () => {
    await world.file('sales-1.parquet', [sale('a', NOW - DAY, 1)]);
    await world.run();
    await world.push(sale('a', NOW - HOUR, 2));
    // What ships finds a file where the folder was.
    renameSync(world.objects, `${world.objects}-away`);
    writeFileSync(world.objects, '');
    world.clock.now += HOUR;
    await world.file('sales-2.parquet', [sale('a', NOW - HOUR, 2)]);
    const [held] = await world.run();
    expect(held).toMatchObject({ state: 'finished', heldBy: [{ writer: 1 }], coverage: [{ writer: 1, cut: 0 }] });
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 3, last: 2 });
    rmSync(world.objects);
    renameSync(`${world.objects}-away`, world.objects);
    // The writer tries to ship again in its own time.
    let moved = held;
    for (let tries = 0; tries < 20 && moved?.heldBy.length !== 0; tries++) [moved] = await world.run();
    expect(moved).toMatchObject({ state: 'finished', heldBy: [] });
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 3, last: 2 });
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
    expect(error).toMatchObject({ code: 'HR_BOUNDARY_HELD', message: expect.stringContaining('writer 1 on ') });
    expect((await world.rowsOf('sold'))[0]).toMatchObject({ state: 'abandoned', boundary: null });
    expect(await world.read('a')).toMatchObject({ count: 1n, last: 2 });
  });
});

describe.each(onlineStoreKinds())('materialize into $name, where pushes are kept', ({ prepare }) => {
  let world: PushesWorld;
  beforeEach(async () => {
    world = await openPushesWorld({ prepare }, { kind: 'pushed', location: {}, pushes: 'keep' });
  });
  afterEach(() => world.close());

  it('counts each push once before, during and after runs', async () => {
    let sum = 0;
    for (let i = 1; i <= 6; i++) {
      await world.push(sale('a', world.clock.now - HOUR, i));
      sum += i;
      expect(await world.read('a')).toMatchObject({ count: BigInt(i), sum, last: i });
      if (i % 2 === 0) await world.run({ incremental: i !== 4 });
      expect(await world.read('a')).toMatchObject({ count: BigInt(i), sum, last: i });
      world.clock.now += HOUR;
    }
  });

  it('writes no row where the log brought nothing new', async () => {
    await world.push(sale('a', NOW - HOUR, 1));
    await world.run();
    const views = await world.run();
    expect(views.map(({ state, run }) => ({ state, run }))).toEqual([
      { state: 'up-to-date', run: null },
      { state: 'up-to-date', run: null },
    ]);
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

  it('lets a pushed fact that is known later count when its time comes', async () => {
    await world.push(sale('a', NOW - HOUR, 1));
    await world.push(sale('a', NOW + HOUR, 5));
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 1n, sum: 1, lastPrice: 1, last: 1 });
    expect(await world.read('a', NOW + 2 * HOUR)).toMatchObject({ count: 2n, sum: 6, lastPrice: 5, last: 5 });
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
