// Definitions change while old records lie in the store: they are migrated by column name, or reported.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type DataType,
  type EncodedKey,
  encodeKey,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  systemClock,
} from '../../src/core/index.ts';
import { type FeatureSpec, type Manifest, resolveService } from '../../src/definitions/index.ts';
import {
  createFeatureReader,
  createViewCodec,
  finishBase,
  getWatermark,
  type OnlineStore,
  openOnlineStore,
  setWatermark,
  writeBase,
  writePushed,
} from '../../src/online/index.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';

const NOW = 1_790_000_000_000_000;
const key = encodeKey([{ kind: 'string' }], ['ATL']) as EncodedKey;
const latest = (name: string, column: string, type: DataType): FeatureSpec => ({
  name,
  type,
  aggregation: { op: 'latest', column },
});
const count = (hours: number): FeatureSpec => ({
  name: `count_${hours}h`,
  type: { kind: 'int64' },
  aggregation: { op: 'count', column: null, windowMicros: hours * MICROS_PER_HOUR, hopMicros: MICROS_PER_HOUR },
});
const float64: DataType = { kind: 'float64' };
const string: DataType = { kind: 'string' };

function manifestOf(
  features: readonly FeatureSpec[],
  yType: DataType = string,
  derivedHash = 'one',
  ttlMicros: number | null = null,
): Manifest {
  return {
    format: 1,
    project: 'test',
    onDemandViews: {},
    models: {},
    endpoints: {},
    pipelines: {},
    entities: { airport: { name: 'airport', keys: [{ name: 'airport', type: string }] } },
    sources: {
      flights: {
        name: 'flights',
        kind: 'pushed',
        location: {},
        eventTime: 'at',
        knownTime: { kind: 'after', micros: 0 },
        pushes: 'keep',
        columns: [
          { name: 'airport', type: string },
          { name: 'at', type: { kind: 'timestamp' } },
          { name: 'x', type: float64 },
          { name: 'y', type: yType },
        ],
        derive: [
          {
            name: 'd',
            type: float64,
            by: { kind: 'function', function: { id: 'source/flights/derive/d', hash: derivedHash } },
          },
        ],
      },
    },
    views: {
      v: {
        name: 'v',
        entity: 'airport',
        source: 'flights',
        keyColumns: ['airport'],
        ttlMicros,
        features,
        freshness: { kind: 'live' },
      },
    },
    services: {
      s: {
        name: 's',
        members: [
          { kind: 'view', role: 'v', view: 'v', keyColumns: ['airport'], features: features.map(({ name }) => name) },
        ],
      },
    },
  };
}

describe.each(onlineStoreKinds())('a record written under older definitions on $name', ({ prepare }) => {
  let place: OnlineStorePlace;
  let store: OnlineStore;
  const open = async (): Promise<void> => {
    store = await place.open();
  };
  const read = async (manifest: Manifest, at = NOW) => {
    const [row] = await createFeatureReader(manifest, resolveService(manifest, 's'), store).read(
      [[key]],
      at,
      () => undefined,
    );
    return { values: row?.[0]?.values, statuses: row?.[0]?.statuses };
  };
  const push = (manifest: Manifest, hoursAgo: number, x: number, order = 1) =>
    writePushed(store, createViewCodec(manifest, 'v'), [
      {
        key,
        eventMicros: NOW - hoursAgo * MICROS_PER_HOUR,
        knownMicros: NOW - hoursAgo * MICROS_PER_HOUR,
        order,
        row: { x, y: 'why', d: x * 2 },
      },
    ]);

  beforeEach(async () => {
    place = await prepare();
    await open();
  });
  afterEach(async () => {
    await store.close();
    await place.remove();
  });
  // As after a restart: nothing of the old definitions is in memory.
  const reopen = async (): Promise<void> => {
    await store.close();
    await open();
  };

  const old = manifestOf([latest('x', 'x', float64), latest('y', 'y', string), count(6)]);

  it('is read by column name when features are reordered, removed or renamed', async () => {
    await push(old, 1, 1.5);
    await reopen();
    expect(await read(manifestOf([latest('why', 'y', string), latest('x', 'x', float64)]))).toEqual({
      values: ['why', 1.5],
      statuses: ['PRESENT', 'PRESENT'],
    });
  });

  it('gives null and NOT_FOUND for a column added since', async () => {
    await push(manifestOf([latest('x', 'x', float64)]), 1, 1.5);
    await reopen();
    expect(await read(old)).toEqual({ values: [1.5, null, null], statuses: ['PRESENT', 'NOT_FOUND', 'INVALID'] });
  });

  it('gives null and INVALID for a column whose type or code changed', async () => {
    const derived = [latest('y', 'y', string), latest('d', 'd', float64), latest('x', 'x', float64)];
    await push(manifestOf(derived), 1, 1.5);
    await reopen();
    const changed = derived.map((feature) => (feature.name === 'y' ? { ...feature, type: float64 } : feature));
    expect(await read(manifestOf(changed, float64, 'two'))).toEqual({
      values: [null, null, 1.5],
      statuses: ['INVALID', 'INVALID', 'PRESENT'],
    });
  });

  it('gives INVALID for windows of another layout until the next push folds its events again', async () => {
    await push(old, 1, 1);
    await push(old, 2, 2, 2);
    await reopen();
    const wider = manifestOf([
      latest('x', 'x', float64),
      latest('y', 'y', string),
      {
        ...count(48),
        name: 'c',
        aggregation: { op: 'sum', column: 'x', windowMicros: 2 * MICROS_PER_DAY, hopMicros: MICROS_PER_DAY },
      },
    ]);
    expect((await read(wider)).statuses).toEqual(['PRESENT', 'PRESENT', 'INVALID']);
    await push(wider, 3, 4, 3);
    expect(await read(wider)).toEqual({ values: [1, 'why', 7], statuses: ['PRESENT', 'PRESENT', 'PRESENT'] });
  });

  it('keeps windows INVALID where older events lack a column, until a materialize covers them', async () => {
    await push(manifestOf([latest('y', 'y', string)]), 2, 1);
    await reopen();
    const grown = manifestOf([
      {
        ...count(6),
        name: 'sum',
        type: float64,
        aggregation: { op: 'sum', column: 'x', windowMicros: 6 * MICROS_PER_HOUR, hopMicros: MICROS_PER_HOUR },
      },
    ]);
    await push(grown, 1, 5, 2);
    expect((await read(grown)).statuses).toEqual(['INVALID']);
    const codec = createViewCodec(grown, 'v');
    await writeBase(
      store,
      codec,
      [{ key, latest: null, tiles: codec.aggregator?.create() ?? null }],
      NOW - 90 * 60 * 1_000_000,
    );
    expect(await read(grown)).toEqual({ values: [5], statuses: ['PRESENT'] });
  });
});

describe('a record', () => {
  let folder: string;
  let store: OnlineStore;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-ttl-'));
    store = await openOnlineStore(`lmdb:${folder}`, { project: 'test', clock: systemClock });
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const manifest = manifestOf([latest('x', 'x', float64), count(6)], string, 'one', MICROS_PER_DAY);
  const read = async (at: number, of: EncodedKey | undefined = key) => {
    const [row] = await createFeatureReader(manifest, resolveService(manifest, 's'), store).read(
      [[of]],
      at,
      () => undefined,
    );
    return row?.[0];
  };
  const event = (hoursAgo: number, x: number | null, deleted = false) => ({
    key,
    eventMicros: NOW - hoursAgo * MICROS_PER_HOUR,
    knownMicros: NOW - hoursAgo * MICROS_PER_HOUR,
    order: -hoursAgo,
    deleted,
    row: { x },
  });

  it('is PRESENT to the microsecond of its TTL, and OUTSIDE_MAX_AGE and null past it', async () => {
    await writePushed(store, createViewCodec(manifest, 'v'), [event(0, 3)]);
    expect(await read(NOW + MICROS_PER_DAY)).toEqual({
      values: [3, 0n],
      statuses: ['PRESENT', 'PRESENT'],
      eventMicros: NOW,
    });
    expect(await read(NOW + MICROS_PER_DAY + 1)).toEqual({
      values: [null, 0n],
      statuses: ['OUTSIDE_MAX_AGE', 'PRESENT'],
      eventMicros: null,
    });
  });

  it('is NULL_VALUE when the newest row holds null, and NOT_FOUND before it was known', async () => {
    await writePushed(store, createViewCodec(manifest, 'v'), [event(2, 3), event(1, null)]);
    expect((await read(NOW))?.statuses).toEqual(['NULL_VALUE', 'PRESENT']);
    expect((await read(NOW - 1.5 * MICROS_PER_HOUR))?.values).toEqual([3, 1n]);
    expect((await read(NOW - 3 * MICROS_PER_HOUR))?.statuses).toEqual(['NOT_FOUND', 'NOT_FOUND']);
  });

  it('never written is NOT_FOUND with a count of 0; a null key has no count either', async () => {
    expect(await read(NOW)).toEqual({ values: [null, 0n], statuses: ['NOT_FOUND', 'NOT_FOUND'], eventMicros: null });
    const [row] = await createFeatureReader(manifest, resolveService(manifest, 's'), store).read(
      [[undefined]],
      NOW,
      () => undefined,
    );
    expect(row?.[0]).toEqual({ values: [null, null], statuses: ['NOT_FOUND', 'NOT_FOUND'], eventMicros: null });
  });

  it('that was deleted is NOT_FOUND from then on, and its windows keep their history', async () => {
    await writePushed(store, createViewCodec(manifest, 'v'), [event(2, 3), event(1, null, true)]);
    expect(await read(NOW)).toEqual({ values: [null, 1n], statuses: ['NOT_FOUND', 'PRESENT'], eventMicros: null });
  });

  it('loses its base when a full run ends without its key, and keeps what was pushed since', async () => {
    const codec = createViewCodec(manifest, 'v');
    const row = { eventMicros: NOW - MICROS_PER_HOUR, knownMicros: NOW - MICROS_PER_HOUR, order: 0, values: [1] };
    await writeBase(store, codec, [{ key, latest: row, tiles: null }], NOW - MICROS_PER_HOUR);
    await writePushed(store, codec, [event(0.5, 8)]);
    await finishBase(store, codec, NOW - 0.75 * MICROS_PER_HOUR, { isFull: true });
    expect((await read(NOW))?.values).toEqual([8, 1n]);
    await finishBase(store, codec, NOW, { isFull: false });
    expect((await read(NOW))?.statuses).toEqual(['NOT_FOUND', 'NOT_FOUND']);
  });

  it('whose sum leaves int64 is an error that names view, feature and key', async () => {
    const int64: DataType = { kind: 'int64' };
    const sum: FeatureSpec = {
      name: 'sum',
      type: int64,
      aggregation: { op: 'sum', column: 'y', windowMicros: MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR },
    };
    const big = manifestOf([sum], int64);
    const events = [1, 2].map((hoursAgo) => ({ ...event(hoursAgo, 0), row: { y: 2n ** 62n } }));
    await writePushed(store, createViewCodec(big, 'v'), events);
    const reader = createFeatureReader(big, resolveService(big, 's'), store);
    expect(() => reader.read([[key]], NOW, () => undefined)).toThrow(/v__sum.*airport "ATL"/);
  });

  it('view has no watermark until one is set', async () => {
    expect(await getWatermark(store, 'v')).toBeUndefined();
    await setWatermark(store, 'v', NOW);
    expect(await getWatermark(store, 'v')).toBe(NOW);
  });

  it('store whose path is a file is unavailable, with its path', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(openOnlineStore(`lmdb:${file}`, { project: 'test', clock: systemClock })).rejects.toMatchObject({
      code: 'HR_ONLINE_UNAVAILABLE',
      message: expect.stringContaining(file),
    });
  });

  it('is refused as a whole when the store would grow past its limit, and the store lives on', async () => {
    const small = await openOnlineStore(`lmdb:${join(folder, 'small')}`, {
      project: 'test',
      clock: systemClock,
      mapSizeBytes: 1024 ** 2,
    });
    const refs = Array.from({ length: 100 }, (_, index) => ({
      entity: 'e',
      view: 'v',
      key: encodeKey([{ kind: 'int32' }], [index]) as EncodedKey,
    }));
    const write = (size: number) =>
      small.update(refs, () => ({ base: Buffer.alloc(size), pushed: undefined, pushedLog: undefined }));
    await write(1000);
    await expect(write(50_000)).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    expect((await small.read(refs)).every((record) => record?.base?.length === 1000)).toBe(true);
    await write(10);
    await small.close();
  });
});
