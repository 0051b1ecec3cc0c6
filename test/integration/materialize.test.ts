// Materialize into real stores: what is read afterwards is what the oracle says, whole or incrementally.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fixedClock,
  floorTo,
  type HeadraceError,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  type Micros,
  type Row,
} from '../../src/core/index.ts';
import { createViewCodec, type OnlineStore, openOnlineStore, openRuns } from '../../src/online/index.ts';
import { materialize, type MaterializeRequest } from '../../src/offline/index.ts';
import {
  COLUMNS,
  dump,
  materializeDefinitions,
  openDirectory,
  readAll,
  sales,
  START,
} from '../support/materialize-world.ts';
import { type OfflineWorld, openOfflineWorld, writeParquet } from '../support/offline-world.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';
import { oracleView, sameValue } from '../support/oracle.ts';

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
    for (const shop of ['shop 0', 'shop 1', 'shop 2', 'shop 3', 'shop 4', 'shop 5', 'shop 6', 'nobody']) {
      const item = 2n ** 53n + 1n;
      const values = await readAll(manifest, store, directory, shop, item, at);
      for (const [i, [view, key]] of (
        [
          ['by_shop', [shop]],
          ['by_pair', [shop, item]],
        ] as const
      ).entries()) {
        const expected = oracleView(world_, view, key, at);
        manifest.views[view]?.features.forEach(({ name, type }, f) => {
          const [actual, wanted] = [values[i]?.[f] ?? null, expected[f] ?? null];
          expect(
            sameValue(type, actual, wanted),
            `${view}.${name} of ${shop}: ${String(actual)} is not ${String(wanted)}`,
          ).toBe(true);
        });
      }
      const served = floorTo(asOf, MICROS_PER_HOUR);
      const scheduled = oracleView({ ...world_, rows: { sales: rows } }, 'hourly', [shop], served);
      manifest.views['hourly']?.features.forEach(({ name, type }, f) => {
        const [actual, wanted] = [values[2]?.[f] ?? null, scheduled[f] ?? null];
        expect(
          sameValue(type, actual, wanted),
          `hourly.${name} of ${shop}: ${String(actual)} is not ${String(wanted)}`,
        ).toBe(true);
      });
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
