// What materialize keeps and lets go: rows past their TTL, records of other definitions, pushes that it covers, records
// past their expiry; and what a start of the server finds in the push log.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type EncodedKey,
  encodeKey,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  type Micros,
  type Row,
  silentLogger,
} from '../../src/core/index.ts';
import { type Manifest, resolveService, type SourceSpec, type ViewSpec } from '../../src/definitions/index.ts';
import { materialize, type MaterializeRequest } from '../../src/offline/index.ts';
import {
  applyPush,
  createFeatureReader,
  type OnlineStore,
  openOnlineStore,
  openPushLog,
  type PushLog,
} from '../../src/online/index.ts';
import { recoverPushes } from '../../src/serving/index.ts';
import { COLUMNS, materializeManifest, START } from '../support/materialize-world.ts';
import { definitionsOf, type OfflineWorld, openOfflineWorld, TYPES, writeParquet } from '../support/offline-world.ts';

const END = START + 40 * MICROS_PER_DAY;
const sale = (shop: string, at: Micros, price: number): Row => ({
  shop,
  item: 1n,
  at,
  known: at,
  seq: BigInt(at),
  gone: false,
  price,
  amount: 1n,
  tag: 'a',
});

describe('materialize', () => {
  let world: OfflineWorld;
  let store: OnlineStore;
  let log: PushLog;
  let manifest: Manifest;
  let now = END;
  const clock = { nowMicros: () => now };
  beforeEach(async () => {
    now = END;
    world = await openOfflineWorld();
    manifest = materializeManifest(join(world.directory, 'sales*.parquet'));
    store = await openOnlineStore(`lmdb:${join(world.directory, 'online')}`, { project: 'test', clock });
    log = openPushLog(world.deps.pushLogDirectory, { clock });
    await write('sales.parquet', [sale('old', END - 3 * MICROS_PER_DAY, 1), sale('new', END - MICROS_PER_HOUR, 2)]);
  });
  afterEach(async () => {
    await log.close();
    await store.close();
    await world.close();
  });

  const write = (file: string, rows: readonly Row[]) =>
    writeParquet(world.connection, join(world.directory, file), COLUMNS, rows);
  const run = async (request: Partial<MaterializeRequest> = {}, of: Manifest = manifest) => {
    const definitions = definitionsOf(of, world.directory);
    const all = { incremental: true, dryRun: false, ...request };
    return (await materialize({ ...world.deps, definitions, clock, store, pushLog: log }, all)).views;
  };
  const read = async (shop: string, of: Manifest = manifest, at = now) => {
    const reader = createFeatureReader(of, resolveService(of, 'all'), store);
    const key = encodeKey([TYPES.string], [shop]) as EncodedKey;
    const [row] = await reader.read([[key, undefined, undefined]], at, () => undefined);
    return { value: row?.[0]?.values[0], status: row?.[0]?.statuses[0] };
  };
  const segments = () => readdir(join(world.deps.pushLogDirectory, 'sales')).catch(() => []);

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
    const last = END - 30 * MICROS_PER_DAY;
    await write('sales-silent.parquet', [
      sale('silent', last - MICROS_PER_HOUR, 4),
      sale('silent', last, 6),
      sale('silent', last - 400 * MICROS_PER_DAY, 1000),
    ]);
    await run();
    const reader = createFeatureReader(manifest, resolveService(manifest, 'all'), store);
    const key = encodeKey([TYPES.string], ['silent']) as EncodedKey;
    const at = async (micros: Micros) => {
      const [row] = await reader.read([[key, undefined, undefined]], micros, () => undefined);
      const { features } = manifest.views['by_shop'] as ViewSpec;
      return Object.fromEntries(features.map(({ name }, i) => [name, row?.[0]?.values[i]]));
    };
    expect(await at(last)).toMatchObject({ rows_6h: 2n, mean_price_1d: 5, last_price: 6 });
    expect(await at(END)).toMatchObject({ rows_6h: 0n, mean_price_1d: null, last_price: null });
    let tiles = 0;
    for await (const { record } of store.scan('shop', 'by_shop')) tiles = Math.max(tiles, record.base?.length ?? 0);
    // The row of 400 days before left no tile behind.
    expect(tiles).toBeLessThan(1000);
  });

  it('forgets records past their physical expiry', async () => {
    await run();
    const count = async () => {
      let records = 0;
      for await (const _ of store.scan('shop', 'by_shop')) records++;
      return records;
    };
    expect(await count()).toBe(2);
    now += 5 * MICROS_PER_DAY;
    await write('sales-more.parquet', [sale('later', now - 1, 3)]);
    await run();
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
    expect(views.map(({ from, keys }) => ({ isWhole: from === null, keys }))).toEqual([
      { isWhole: true, keys: 2 },
      { isWhole: false, keys: 0 },
    ]);
    expect(await read('new', changed)).toEqual({ value: 1n, status: 'PRESENT' });
    now += 1;
    expect((await run({ views: ['by_shop'] }, changed))[0]).toMatchObject({ keys: 0, state: 'finished' });
  });

  it('drops the log of pushes that every live view has covered, and no sooner', async () => {
    const source = manifest.sources['sales'] as SourceSpec;
    const row = sale('pushed', now, 7);
    const { rows } = await log.append(source, { rows: [{ row, knownMicros: now }] });
    await applyPush(store, manifest, 'sales', rows);
    expect(await read('pushed')).toEqual({ value: 7, status: 'PRESENT' });
    await run({ views: ['by_shop'] });
    expect(await segments()).toHaveLength(1);
    // Its files did not bring it: covered is covered.
    expect(await read('pushed')).toEqual({ value: null, status: 'NOT_FOUND' });
    await run({ views: ['by_pair'], dryRun: true });
    expect(await segments()).toHaveLength(1);
    await run({ views: ['by_pair'] });
    expect(await segments()).toHaveLength(0);
  });

  it('leaves a log alone that is part of its source', async () => {
    const kept: SourceSpec = { ...(manifest.sources['sales'] as SourceSpec), pushes: 'keep' };
    const of: Manifest = { ...manifest, sources: { sales: kept } };
    await log.append(kept, { rows: [{ row: sale('pushed', now, 7), knownMicros: now }] });
    now += MICROS_PER_HOUR;
    await run({}, of);
    expect(await segments()).toHaveLength(1);
    expect(await read('pushed', of)).toEqual({ value: 7, status: 'PRESENT' });
  });

  it('leaves to a start what a crash kept from the store, derived columns included', async () => {
    const source = manifest.sources['sales'] as SourceSpec;
    const derived: SourceSpec = {
      ...source,
      derive: [
        { name: 'double_price', type: TYPES.float64, by: { kind: 'sql', sql: 'price * 2' } },
        {
          name: 'half_price',
          type: TYPES.float64,
          by: { kind: 'function', function: { id: 'source/sales/derive/half_price', hash: 'test' } },
        },
      ],
    };
    const view = manifest.views['by_shop'] as ViewSpec;
    const features = view.features.map((feature, i) =>
      i > 1
        ? feature
        : {
            ...feature,
            type: TYPES.float64,
            aggregation: { op: 'latest', column: ['double_price', 'half_price'][i] as string } as const,
          },
    );
    const of: Manifest = {
      ...manifest,
      sources: { sales: derived },
      views: { ...manifest.views, by_shop: { ...view, features } },
    };
    await log.append(derived, { rows: [{ row: sale('lost', now, 5), knownMicros: now }] });
    const definitions = definitionsOf(of, world.directory, {
      'source/sales/derive/half_price': (row: { price: number }) => row.price / 2,
    });
    const deps = { definitions, store, pushLog: log, duckdb: async () => world.deps.duckdb, logger: silentLogger };
    expect(await recoverPushes(deps)).toBe(1);
    expect(await recoverPushes(deps)).toBe(1);
    expect(await read('lost', of)).toEqual({ value: 10, status: 'PRESENT' });
  });
});
