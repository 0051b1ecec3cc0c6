// Records of another layout lie under a version: they are read by column name, or reported. And what a record answers as it
// ages, is deleted, or was never there.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DataType, MICROS_PER_DAY, MICROS_PER_HOUR, type Row, systemClock } from '../../src/core/index.ts';
import { type FeatureSpec, type Manifest, resolveService } from '../../src/definitions/index.ts';
import {
  createFeatureReader,
  createPartFolder,
  createViewCodec,
  type OnlineStore,
  openOnlineStore,
  openRecordDirectory,
  openRowSchemas,
  openRuns,
  type ReadView,
  type RecordDirectory,
  type RowSchemas,
  type Runs,
  type StoreWriter,
  type ViewEvent,
} from '../../src/online/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { baseOf, eventOf } from '../support/fold-world.ts';
import { keyOf } from '../support/ingestion-world.ts';
import { fields, manifestOf as manifest, sourceOf, TYPES, viewOf } from '../support/offline-world.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';
import { expectPlacedAsRead } from '../support/placed-as-read.ts';

const NOW = 1_790_000_000_000_000;
const KEY = keyOf('ATL');
const FOR_EVER = () => undefined;
/** All definitions here share one: another layout within a version is what a later Headrace may write. */
const VERSION = 'v@1';
const asOneVersion = (store: OnlineStore): Pick<OnlineStore, 'read'> => ({
  read: (refs) => store.read(refs.map((ref) => ({ ...ref, version: VERSION }))),
});
const float64: DataType = { kind: 'float64' };
const string: DataType = { kind: 'string' };
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
const sum = (name: string, column: string, type: DataType, hours: number): FeatureSpec => ({
  name,
  type,
  aggregation: { op: 'sum', column, windowMicros: hours * MICROS_PER_HOUR, hopMicros: MICROS_PER_HOUR },
});

function manifestOf(
  features: readonly FeatureSpec[],
  yType: DataType = string,
  derivedHash = 'one',
  ttlMicros: number | null = null,
): Manifest {
  const derive = { kind: 'function', function: { id: 'source/flights/derive/d', hash: derivedHash } } as const;
  const columns = fields({ airport: string, at: TYPES.timestamp, gone: TYPES.bool, x: float64, y: yType });
  const pushed = { kind: 'pushed', location: {}, pushes: 'keep', tombstone: 'gone' } as const;
  const member = { kind: 'view', role: 'v', view: 'v', keyColumns: ['airport'] } as const;
  return manifest({
    entities: { airport: { name: 'airport', keys: [{ name: 'airport', type: string }] } },
    sources: {
      flights: sourceOf('flights', '', columns, { ...pushed, derive: [{ name: 'd', type: float64, by: derive }] }),
    },
    views: { v: viewOf('v', 'airport', 'flights', ['airport'], features, { ttlMicros }) },
    services: { s: { name: 's', members: [{ ...member, features: features.map(({ name }) => name) }] } },
  });
}

describe.each(onlineStoreKinds())('on $name', ({ prepare }) => {
  let folder: string;
  let place: OnlineStorePlace;
  let store: OnlineStore;
  let writer: StoreWriter;
  let database: Database;
  let runs: Runs;
  let schemas: RowSchemas;
  let directory: RecordDirectory;
  let n = 0;
  const open = async (): Promise<void> => {
    store = await place.open();
    writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: FOR_EVER, onNode() {} });
    runs = await openRuns(database);
    schemas = await openRowSchemas(database);
    directory = await openRecordDirectory(runs, schemas);
  };
  const close = async (): Promise<void> => {
    await writer.close();
    await store.close();
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-schema-'));
    database = await openDatabase(`sqlite:${join(folder, 'registry.db')}`);
    place = await prepare();
    await open();
  });
  afterEach(async () => {
    await close();
    await place.remove();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  // As after a restart: nothing of the old definitions is in memory.
  const reopen = async (): Promise<void> => {
    await close();
    await open();
  };

  const event = (manifest: Manifest, hoursAgo: number, row: Row, known?: number): ViewEvent => {
    const made = eventOf(createViewCodec(manifest, 'v'), { at: NOW - hoursAgo * MICROS_PER_HOUR, ...row }, place1());
    return known === undefined ? made : { ...made, knownMicros: known };
  };
  const place1 = () => ({ writer: 1, offset: n++ });
  /** A part of these events, in a cut of its own or the one that is named. */
  const put = async (manifest: Manifest, events: readonly ViewEvent[], cut = ++n, now = NOW): Promise<void> => {
    const codec = createViewCodec(manifest, 'v');
    await schemas.publish([codec.rowCodec.schema, codec.eventCodec.schema]);
    const fold = createPartFolder(codec).fold(undefined, events, now);
    const ref = { entity: 'airport', key: KEY, version: VERSION };
    await writer.putParts([{ ...ref, writer: 1, cut, boundary: -Infinity, holder: 1, n: ++n, fold }]);
  };
  /** A base of these events, by a run that covers all cuts up to one. */
  const materialize = async (manifest: Manifest, events: readonly ViewEvent[], throughCut: number): Promise<void> => {
    const codec = createViewCodec(manifest, 'v');
    await schemas.publish([codec.rowCodec.schema, codec.eventCodec.schema]);
    const asked = {
      proposed: -Infinity,
      asOf: NOW,
      carriesWaiting: true,
      fingerprint: codec.fingerprint,
    };
    const row = await runs.ask({ view: 'v', version: VERSION, ...asked, askedMicros: NOW });
    const coverage = { floor: 1, cuts: new Map([[1, throughCut]]) };
    await runs.open(row, { snapshot: [], boundary: -Infinity, coverage, isFull: true, since: 0 });
    const run = await store.run({
      version: VERSION,
      entity: 'airport',
      run: row.number,
      lifetimeMs: FOR_EVER,
      isOpen: () => runs.isOpen(row),
    });
    const node = run.nodeOf('airport', KEY);
    await run.begin(node);
    await run.write(node, [{ entity: 'airport', key: KEY, base: baseOf(codec, row.number, NOW, events) }]);
    await run.mark(node);
    await run.close();
  };
  const view = async (manifest: Manifest, at = NOW, key: typeof KEY | undefined = KEY): Promise<ReadView> => {
    const reader = createFeatureReader(manifest, resolveService(manifest, 's'), asOneVersion(store), directory);
    const [row] = await reader.read([[key]], at);
    const given = { store: asOneVersion(store), directory, keys: [[key]], at };
    await expectPlacedAsRead({ manifest, service: 's', ...given });
    return row?.[0] as ReadView;
  };
  const read = async (manifest: Manifest, at = NOW) => {
    const { values, statuses } = await view(manifest, at);
    return { values, statuses };
  };

  describe('a record written under older definitions', () => {
    const old = manifestOf([latest('x', 'x', float64), latest('y', 'y', string), count(6)]);
    const row = { x: 1.5, y: 'why', d: 3 };

    it('is read by column name when features are reordered, removed or renamed', async () => {
      await put(old, [event(old, 1, row)]);
      await reopen();
      expect(await read(manifestOf([latest('why', 'y', string), latest('x', 'x', float64)]))).toEqual({
        values: ['why', 1.5],
        statuses: ['PRESENT', 'PRESENT'],
      });
    });

    it('is read by column name too while it waits for its known time', async () => {
      await put(old, [event(old, 1, row, NOW + 5)]);
      await reopen();
      const renamed = manifestOf([latest('why', 'y', string), latest('x', 'x', float64)]);
      expect((await read(renamed, NOW)).values).toEqual([null, null]);
      expect((await read(renamed, NOW + 5)).values).toEqual(['why', 1.5]);
    });

    it('by a process that started later is read by the description that it left in the registry', async () => {
      const other = await openRecordDirectory(runs, schemas);
      await put(old, [event(old, 1, row)]);
      const changed = manifestOf([latest('why', 'y', string)]);
      const reader = createFeatureReader(changed, resolveService(changed, 's'), asOneVersion(store), other);
      expect((await reader.read([[KEY]], NOW))[0]?.[0]?.values).toEqual(['why']);
    });

    it('gives null and NOT_FOUND for a column added since', async () => {
      const before = manifestOf([latest('x', 'x', float64)]);
      await put(before, [event(before, 1, row)]);
      await reopen();
      expect(await read(old)).toEqual({ values: [1.5, null, null], statuses: ['PRESENT', 'NOT_FOUND', 'INVALID'] });
    });

    it('gives null and INVALID for a column whose type or code changed', async () => {
      const features = [latest('y', 'y', string), latest('d', 'd', float64), latest('x', 'x', float64)];
      const before = manifestOf(features);
      await put(before, [event(before, 1, row)]);
      await reopen();
      const changed = features.map((feature) => (feature.name === 'y' ? { ...feature, type: float64 } : feature));
      expect(await read(manifestOf(changed, float64, 'two'))).toEqual({
        values: [null, null, 1.5],
        statuses: ['INVALID', 'INVALID', 'PRESENT'],
      });
    });

    it('gives INVALID for windows of another layout, also beside parts of today’s, until a run covers it', async () => {
      await put(old, [event(old, 2, { x: 2, y: 'b' }), event(old, 1, { x: 1, y: 'why' })], 1);
      await reopen();
      const wider = manifestOf([latest('x', 'x', float64), latest('y', 'y', string), sum('c', 'x', float64, 48)]);
      expect((await read(wider)).statuses).toEqual(['PRESENT', 'PRESENT', 'INVALID']);
      await put(wider, [event(wider, 3, { x: 4 })], 2);
      expect(await read(wider)).toEqual({ values: [1, 'why', null], statuses: ['PRESENT', 'PRESENT', 'INVALID'] });
      const all = [event(wider, 2, { x: 2, y: 'b' }), event(wider, 1, { x: 1, y: 'why' })];
      await materialize(wider, all, 1);
      expect(await read(wider)).toEqual({ values: [1, 'why', 7], statuses: ['PRESENT', 'PRESENT', 'PRESENT'] });
    });

    it('keeps windows INVALID where older events lack a column, until a run covers them', async () => {
      const before = manifestOf([latest('y', 'y', string)]);
      await put(before, [event(before, 2, { x: 1, y: 'b' })], 1);
      await reopen();
      const grown = manifestOf([sum('sum', 'x', float64, 6)]);
      await put(grown, [event(grown, 1, { x: 5 })], 2);
      expect((await read(grown)).statuses).toEqual(['INVALID']);
      await materialize(grown, [event(grown, 2, { x: 1 })], 1);
      expect(await read(grown)).toEqual({ values: [6], statuses: ['PRESENT'] });
    });
  });

  describe('a record', () => {
    const manifest = manifestOf([latest('x', 'x', float64), count(6)], string, 'one', MICROS_PER_DAY);
    const at = (hoursAgo: number, x: number | null, gone = false) => event(manifest, hoursAgo, { x, gone });

    it('is PRESENT to the microsecond of its TTL, and OUTSIDE_MAX_AGE and null past it', async () => {
      await put(manifest, [at(0, 3)]);
      expect(await view(manifest, NOW + MICROS_PER_DAY)).toEqual({
        values: [3, 0n],
        statuses: ['PRESENT', 'PRESENT'],
        eventMicros: NOW,
      });
      expect(await view(manifest, NOW + MICROS_PER_DAY + 1)).toEqual({
        values: [null, 0n],
        statuses: ['OUTSIDE_MAX_AGE', 'PRESENT'],
        eventMicros: null,
      });
    });

    it('is NULL_VALUE when the newest row holds null', async () => {
      await put(manifest, [at(2, 3), at(1, null)]);
      expect((await view(manifest)).statuses).toEqual(['NULL_VALUE', 'PRESENT']);
    });

    it('never written is NOT_FOUND with a count of 0; a null key has no count either', async () => {
      const statuses = ['NOT_FOUND', 'NOT_FOUND'];
      expect(await view(manifest)).toEqual({ values: [null, 0n], statuses, eventMicros: null });
      const reader = createFeatureReader(manifest, resolveService(manifest, 's'), store, directory);
      const [row] = await reader.read([[undefined]], NOW);
      expect(row?.[0]).toEqual({ values: [null, null], statuses, eventMicros: null });
    });

    it('whose sum leaves int64 is an error that names view, feature and key', async () => {
      const int64: DataType = { kind: 'int64' };
      const big = manifestOf([sum('sum', 'y', int64, 24)], int64);
      await put(big, [event(big, 1, { y: 2n ** 62n })]);
      await put(big, [event(big, 2, { y: 2n ** 62n })]);
      await expect(view(big)).rejects.toThrow(/v__sum.*airport "ATL"/);
    });
  });
});

it('a store whose path is a file is unavailable, with its path', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-file-'));
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await expect(openOnlineStore(`lmdb:${file}`, { project: 'test', clock: systemClock })).rejects.toMatchObject({
    code: 'HR_ONLINE_UNAVAILABLE',
    message: expect.stringContaining(file),
  });
  rmSync(folder, { recursive: true, force: true });
});
