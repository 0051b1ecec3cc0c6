// Materialize into real stores: what is read afterwards is what the oracle says, whole or incrementally; what it keeps and lets
// go: rows past their TTL, tiles of silent keys, records of other definitions and past their lifetime, rows of runs.

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type EncodedKey,
  encodeKey,
  fixedClock,
  floorTo,
  type HeadraceError,
  type Micros,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  type Row,
} from '../../src/core/index.ts';
import { type Manifest, resolveService, type ViewSpec } from '../../src/definitions/index.ts';
import { materialize, type MaterializeRequest } from '../../src/offline/index.ts';
import {
  createFeatureReader,
  createViewCodec,
  type OnlineStore,
  openOnlineStore,
  openRuns,
} from '../../src/online/index.ts';
import {
  COLUMNS,
  dump,
  expectView,
  materializeDefinitions,
  materializeManifest,
  openDirectory,
  readAll,
  sales,
  START,
} from '../support/materialize-world.ts';
import { definitionsOf, type OfflineWorld, openOfflineWorld, TYPES, writeParquet } from '../support/offline-world.ts';
import { onlineStoreKinds, type OnlineStorePlace } from '../support/online-stores.ts';
import { oracleView } from '../support/oracle.ts';

const ROWS = sales(1500, 7);
const END = START + 4 * MICROS_PER_DAY;

describe.each(onlineStoreKinds())('materialize into $name', ({ prepare }) => {
  let world: OfflineWorld;
  let place: OnlineStorePlace;
  let store: OnlineStore;
  beforeEach(async () => {
    world = await openOfflineWorld();
    place = await prepare();
    store = await place.open(fixedClock(END));
    await write('sales.parquet', ROWS);
  });
  afterEach(async () => {
    await store.close();
    await place.remove();
    await world.close();
  });

  const write = (file: string, rows: readonly Row[]) =>
    writeParquet(world.connection, join(world.directory, file), COLUMNS, rows);
  const run = (now: Micros, request: Partial<MaterializeRequest>) =>
    materialize(
      { ...world.deps, definitions: materializeDefinitions(world.directory), clock: fixedClock(now), store },
      { incremental: false, dryRun: false, ...request },
    );

  const rowsOf = async (view: string) => {
    const { version } = createViewCodec(materializeDefinitions(world.directory).manifest, view);
    return (await openRuns(world.deps.database)).ofVersion(version);
  };

  async function expectOracle(rows: readonly Row[], asOf: Micros, at: Micros): Promise<void> {
    const { manifest } = materializeDefinitions(world.directory);
    const world_ = {
      manifest,
      // What is known only later waits in the base; of what happens later the files are not read yet.
      rows: { sales: rows.filter((row) => row['at'] === null || (row['at'] as Micros) <= asOf) },
    };
    const directory = await openDirectory(world.deps.database);
    for (const shop of [...Array.from({ length: 7 }, (_, n) => `shop ${n}`), 'nobody']) {
      const item = 2n ** 53n + 1n;
      const values = await readAll(manifest, store, directory, shop, item, at);
      expectView(manifest, 'by_shop', values[0], oracleView(world_, 'by_shop', [shop], at), { shop });
      expectView(manifest, 'by_pair', values[1], oracleView(world_, 'by_pair', [shop, item], at), { shop });
      const served = floorTo(asOf, MICROS_PER_HOUR);
      const scheduled = oracleView({ ...world_, rows: { sales: rows } }, 'hourly', [shop], served);
      expectView(manifest, 'hourly', values[2], scheduled, { shop });
    }
  }

  it('serves what the oracle says, in full and at later times', async () => {
    const now = START + 2 * MICROS_PER_DAY + 12_345;
    const { views } = await run(now, {});
    expect(views.map(({ view, state }) => `${view} ${state}`)).toEqual([
      'by_shop finished',
      'by_pair finished',
      'hourly finished',
    ]);
    expect(views[0]?.rowsIgnored).toBeGreaterThan(0);
    await expectOracle(ROWS, now, now);
    await expectOracle(ROWS, now, now + 7 * MICROS_PER_HOUR);
  });

  it('serves the same incrementally as at once, late rows included', async () => {
    for (const hours of [20, 20.5, 40, 60]) await run(START + hours * MICROS_PER_HOUR, { incremental: true });
    await write(
      'sales-more.parquet',
      sales(300, 9, 2).map((row) => ({ ...row, known: START + 61 * MICROS_PER_HOUR })),
    );
    const all = [...ROWS, ...sales(300, 9, 2).map((row) => ({ ...row, known: START + 61 * MICROS_PER_HOUR }))];
    const now = START + 70 * MICROS_PER_HOUR;
    await run(now, { incremental: true });
    await expectOracle(all, now, now);
    expect((await run(now, { incremental: true })).views.map(({ state }) => state)).toEqual([
      'up-to-date',
      'up-to-date',
      'up-to-date',
    ]);
  });

  it('run twice leaves the same bytes, and keeps a record of both', async () => {
    const { manifest } = materializeDefinitions(world.directory);
    await run(END, {});
    const once = await dump(manifest, store);
    await run(END, {});
    expect(await dump(manifest, store)).toEqual(once);
    expect((await rowsOf('by_shop')).map(({ state }) => state)).toEqual(['finished', 'finished']);
  });

  it('writes nothing in a dry run, and says what it would', async () => {
    const { views } = await run(END, { dryRun: true });
    expect(views[0]).toMatchObject({ view: 'by_shop', state: 'dry-run', keys: 7, written: 0 });
    expect(await rowsOf('by_shop')).toEqual([]);
    expect(await dump(materializeDefinitions(world.directory).manifest, store)).toEqual([]);
  });

  it('refuses a future end, an empty range, an unknown view', async () => {
    const codeOf = (request: Partial<MaterializeRequest>) =>
      run(END, request).then(
        () => 'none',
        (error: HeadraceError) => error.code,
      );
    expect(await codeOf({ to: END + 1 })).toBe('HR_MATERIALIZE_RANGE');
    expect(await codeOf({ from: END, to: END })).toBe('HR_MATERIALIZE_RANGE');
    expect(await codeOf({ views: ['by_shp'] })).toBe('HR_UNKNOWN_VIEW');
  });
});

describe('materialize into a store that cannot grow', () => {
  it('says HR_STORAGE_FULL, says so in its row, and finishes once there is room', async () => {
    const world = await openOfflineWorld();
    const url = `lmdb:${join(world.directory, 'online')}`;
    try {
      await writeParquet(world.connection, join(world.directory, 'sales.parquet'), COLUMNS, sales(4000, 1500));
      const definitions = materializeDefinitions(world.directory);
      // The windows of both views still see a day of sales.
      const clock = fixedClock(START + 3 * MICROS_PER_DAY);
      const into = (store: OnlineStore) =>
        materialize({ ...world.deps, definitions, clock, store }, { incremental: true, dryRun: false });
      const small = await openOnlineStore(url, { project: 'test', clock, mapSizeBytes: 720 * 1024 });
      await expect(into(small)).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
      const { version } = createViewCodec(definitions.manifest, 'by_pair');
      const [row] = await (await openRuns(world.deps.database)).ofVersion(version);
      expect(row).toMatchObject({ state: 'abandoned', error: expect.stringMatching(/^HR_STORAGE_FULL: /) });
      expect(await small.marks(version)).toEqual([{ node: 'lmdb', run: undefined }]);
      await small.close();
      const roomy = await openOnlineStore(url, { project: 'test', clock });
      // The first view fitted; what was finished stays so.
      expect((await into(roomy)).views.map(({ state }) => state)).toEqual(['up-to-date', 'finished', 'finished']);
      await roomy.close();
    } finally {
      await world.close();
    }
  });
});

const LATER = START + 40 * MICROS_PER_DAY;
const sale = (shop: string, at: Micros, price: number, known = at): Row => ({
  shop,
  item: 1n,
  at,
  known,
  seq: BigInt(at),
  gone: false,
  price,
  amount: 1n,
  tag: 'a',
});

describe('materialize', () => {
  let world: OfflineWorld;
  let store: OnlineStore;
  let manifest: Manifest;
  let now = LATER;
  const clock = { nowMicros: () => now };
  beforeEach(async () => {
    now = LATER;
    world = await openOfflineWorld();
    manifest = materializeManifest(join(world.directory, 'sales*.parquet'));
    store = await openOnlineStore(`lmdb:${join(world.directory, 'online')}`, { project: 'test', clock });
    await write('sales.parquet', [sale('old', LATER - 3 * MICROS_PER_DAY, 1), sale('new', LATER - MICROS_PER_HOUR, 2)]);
  });
  afterEach(async () => {
    await store.close();
    await world.close();
  });

  const write = (file: string, rows: readonly Row[]) =>
    writeParquet(world.connection, join(world.directory, file), COLUMNS, rows);
  const run = async (request: Partial<MaterializeRequest> = {}, of: Manifest = manifest) => {
    const definitions = definitionsOf(of, world.directory);
    const all = { incremental: true, dryRun: false, ...request };
    return (await materialize({ ...world.deps, definitions, clock, store }, all)).views;
  };
  const readerOf = async (of: Manifest) =>
    createFeatureReader(of, resolveService(of, 'all'), store, await openDirectory(world.deps.database));
  const keyOf = (shop: string) => encodeKey([TYPES.string], [shop]) as EncodedKey;
  const read = async (shop: string, of: Manifest = manifest, at = now) => {
    const [row] = await (await readerOf(of)).read([[keyOf(shop), undefined, undefined]], at);
    return { value: row?.[0]?.values[0], status: row?.[0]?.statuses[0] };
  };
  const versionOf = (view: string, of = manifest) => createViewCodec(of, view).version;
  const rowsOf = async (view: string) => (await openRuns(world.deps.database)).ofVersion(versionOf(view));

  it.each([true, false])(
    'tells a value past its TTL from one that never was (incremental: %s)',
    async (incremental) => {
      await run({ incremental });
      expect(await read('new')).toEqual({ value: 2, status: 'PRESENT' });
      expect(await read('old')).toEqual({ value: null, status: 'OUTSIDE_MAX_AGE' });
      expect(await read('nobody')).toEqual({ value: null, status: 'NOT_FOUND' });
    },
  );

  it('keeps what a read as at a key’s last events needs, however long the key has been silent', async () => {
    const last = LATER - 30 * MICROS_PER_DAY;
    await write('sales-silent.parquet', [
      sale('silent', last - MICROS_PER_HOUR, 4),
      sale('silent', last, 6),
      sale('silent', last - 400 * MICROS_PER_DAY, 1000),
    ]);
    await run();
    const reader = await readerOf(manifest);
    const at = async (micros: Micros) => {
      const [row] = await reader.read([[keyOf('silent'), undefined, undefined]], micros);
      const { features } = manifest.views['by_shop'] as ViewSpec;
      return Object.fromEntries(features.map(({ name }, i) => [name, row?.[0]?.values[i]]));
    };
    expect(await at(last)).toMatchObject({ rows_6h: 2n, mean_price_1d: 5, last_price: 6 });
    expect(await at(LATER)).toMatchObject({ rows_6h: 0n, mean_price_1d: null, last_price: null });
    let tiles = 0;
    for await (const { record } of store.scan('shop', versionOf('by_shop')))
      tiles = Math.max(tiles, record.base?.length ?? 0);
    // The row of 400 days before left no tile behind.
    expect(tiles).toBeLessThan(1000);
  });

  it.runIf(process.platform === 'linux')(
    'holds a source’s files open until no view needs them, and only once',
    async () => {
      const [sales, hourly] = [manifest.sources['sales'], manifest.views['hourly']];
      if (sales === undefined || hourly === undefined) throw new Error('the manifest has changed');
      manifest = {
        ...manifest,
        sources: { sales, more: { ...sales, name: 'more', location: { path: join(world.directory, 'more.parquet') } } },
        views: { ...manifest.views, hourly: { ...hourly, source: 'more' } },
      };
      await write('more.parquet', [sale('new', LATER - 3 * MICROS_PER_HOUR, 3)]);
      await write('other.parquet', [sale('new', LATER - 4 * MICROS_PER_HOUR, 4)]);
      const names = () =>
        readdirSync('/proc/self/fd').flatMap((fd) => {
          try {
            return basename(readlinkSync(`/proc/self/fd/${fd}`)).match(/^(?:sales|more)\.parquet$/) ?? [];
          } catch {
            return []; // Of the listing itself.
          }
        });
      const held: Record<string, string[]> = {};
      const progress = {
        start(what: string) {
          held[what.replace('materialize ', '')] = names().map(String).sort();
          // What was overwritten while it waited is pinned anew.
          const other = join(world.directory, 'other.parquet');
          if (what.endsWith('by_shop')) writeFileSync(join(world.directory, 'more.parquet'), readFileSync(other));
        },
        advance() {},
        done() {},
      };
      const definitions = definitionsOf(manifest, world.directory);
      const views = ['by_shop', 'by_pair', 'hourly'];
      await materialize(
        { ...world.deps, definitions, clock, store, progress },
        { views, incremental: true, dryRun: false },
      );
      expect(held).toEqual({
        by_shop: ['more.parquet', 'sales.parquet'],
        by_pair: ['more.parquet', 'sales.parquet'],
        hourly: ['more.parquet'],
      });
      expect(names()).toEqual([]);
    },
  );

  it('forgets records past their lifetime, by a run’s clock that the one before bears out', async () => {
    const count = async () => {
      let records = 0;
      for await (const _ of store.scan('shop', versionOf('by_shop'))) records++;
      return records;
    };
    // Records of an entity live as long as the longest of its views asks: this one alone asks for days.
    const { by_shop } = manifest.views;
    const alone = { ...manifest, views: { by_shop: by_shop as ViewSpec } };
    await run({}, alone);
    expect(await count()).toBe(2);
    now += 5 * MICROS_PER_DAY;
    await write('sales-more.parquet', [sale('later', now - 1, 3)]);
    await run({}, alone);
    // The clock may have jumped just now.
    expect(await count()).toBe(3);
    now += MICROS_PER_HOUR;
    await write('sales-more-still.parquet', [sale('later', now - 1, 3)]);
    await run({}, alone);
    expect(await count()).toBe(1);
  });

  it('computes everything anew when the view is another than at the last run', async () => {
    await run();
    const view = manifest.views['by_shop'] as ViewSpec;
    const [first, ...others] = view.features;
    const renamed: ViewSpec = {
      ...view,
      // The same name, of another column: nothing stored can be carried on.
      features: [
        { ...(first as (typeof others)[number]), type: TYPES.int64, aggregation: { op: 'latest', column: 'item' } },
        ...others,
      ],
    };
    const changed: Manifest = { ...manifest, views: { ...manifest.views, by_shop: renamed } };
    now += 1;
    const views = await run({ views: ['by_shop', 'by_pair'] }, changed);
    expect(views.map(({ full, why, keys }) => ({ full, why, keys }))).toEqual([
      { full: true, why: expect.any(String), keys: 2 },
      { full: false, why: expect.any(String), keys: 0 },
    ]);
    expect(await read('new', changed)).toEqual({ value: 1n, status: 'PRESENT' });
    now += 1;
    expect((await run({ views: ['by_shop'] }, changed))[0]).toMatchObject({ keys: 0, state: 'up-to-date' });
  });

  it('reads nothing and writes no row where no file is new', async () => {
    await run();
    now += 30 * 60 * 1_000_000;
    const views = await run();
    const same = { state: 'up-to-date', run: null };
    expect(views).toMatchObject(['by_shop', 'by_pair', 'hourly'].map((view) => ({ view, ...same })));
    expect((await rowsOf('by_shop')).map(({ state }) => state)).toEqual(['finished']);
  });

  it('finds for a scheduled view what became known since', async () => {
    await write('sales-known.parquet', [sale('new', LATER - 1, 7, LATER + MICROS_PER_HOUR)]);
    await run();
    const hourly = async () => {
      const [row] = await (await readerOf(manifest)).read([[undefined, undefined, keyOf('new')]], now);
      return row?.[2]?.values[0];
    };
    expect(await hourly()).toBe(2);
    now = LATER + 2 * MICROS_PER_HOUR;
    const [live, , scheduled] = await run();
    // A live view carried it along.
    expect(live).toMatchObject({ state: 'up-to-date' });
    expect(scheduled).toMatchObject({ state: 'finished', full: false, keys: 1 });
    expect(await hourly()).toBe(7);
    expect(await read('new')).toEqual({ value: 7, status: 'PRESENT' });
  });

  it('as of an earlier time leaves out what was known later, and finds it again', async () => {
    await write('sales-known.parquet', [sale('new', LATER - 2 * MICROS_PER_HOUR, 7, LATER - 1)]);
    await run({ views: ['by_shop'], incremental: false, to: LATER - 30 * 60 * 1_000_000 });
    const counts = async () => {
      const [row] = await (await readerOf(manifest)).read([[keyOf('new'), undefined, undefined]], now);
      return row?.[0]?.values[2];
    };
    expect(await counts()).toBe(1n);
    expect((await run({ views: ['by_shop'] }))[0]).toMatchObject({ state: 'finished', full: false, keys: 1 });
    expect(await counts()).toBe(2n);
  });

  it('writes the keys of rows known from a time on besides what is new', async () => {
    await run();
    now += 1;
    const [view] = await run({ views: ['by_shop'], incremental: false, from: LATER - 2 * MICROS_PER_HOUR });
    expect(view).toMatchObject({ state: 'finished', full: false, keys: 1 });
    const [whole] = await run({ views: ['by_shop'], incremental: false });
    expect(whole).toMatchObject({ state: 'finished', full: true, why: 'asked for', keys: 2, from: null });
  });

  it('forgets the rows of runs that no base can name', async () => {
    for (let i = 0; i < 5; i++) {
      now += 1;
      await run({ views: ['by_shop'], incremental: false });
    }
    const rows = await rowsOf('by_shop');
    expect(rows.map(({ state }) => state)).toEqual(['finished', 'finished', 'finished']);
    expect(await read('new')).toEqual({ value: 2, status: 'PRESENT' });
  });
});
