// A small repository with a table of events, for tests of materialize: every kind of window, latest, tombstones,
// late rows, composite keys, a scheduled view.

import { join } from 'node:path';
import { expect } from 'vitest';
import {
  type EncodedKey,
  encodeKey,
  type Field,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  type Micros,
  type Row,
  type Value,
} from '../../src/core/index.ts';
import {
  type Aggregation,
  type Definitions,
  type FeatureSpec,
  type Manifest,
  resolveService,
} from '../../src/definitions/index.ts';
import {
  createFeatureReader,
  createViewCodec,
  type OnlineStore,
  openRecordDirectory,
  openRowSchemas,
  openRuns,
  type RecordDirectory,
} from '../../src/online/index.ts';
import type { Database } from '../../src/storage/index.ts';
import { createRandom } from './chance.ts';
import { definitionsOf, fields, manifestOf, TYPES, viewOf } from './offline-world.ts';
import { sameValue } from './oracle.ts';

export const START = 1_700_000_000_000_000;

export const COLUMNS: readonly Field[] = fields({
  shop: TYPES.string,
  item: TYPES.int64,
  at: TYPES.timestamp,
  known: TYPES.timestamp,
  seq: TYPES.int64,
  gone: TYPES.bool,
  price: TYPES.float64,
  amount: TYPES.int64,
  tag: TYPES.string,
});

const feature = (name: string, type: Field['type'], aggregation: Aggregation): FeatureSpec => ({
  name,
  type,
  aggregation,
});
const hours = (windowHours: number, hopMinutes: number) => ({
  windowMicros: windowHours * MICROS_PER_HOUR,
  hopMicros: hopMinutes * MICROS_PER_MINUTE,
});

const FEATURES: readonly FeatureSpec[] = [
  feature('last_price', TYPES.float64, { op: 'latest', column: 'price' }),
  feature('last_tag', TYPES.string, { op: 'latest', column: 'tag' }),
  feature('rows_6h', TYPES.int64, { op: 'count', column: null, ...hours(6, 5) }),
  feature('amount_1d', TYPES.int64, { op: 'sum', column: 'amount', ...hours(24, 60) }),
  feature('mean_price_1d', TYPES.float64, { op: 'mean', column: 'price', ...hours(24, 60) }),
  feature('max_tag_1d', TYPES.string, { op: 'max', column: 'tag', ...hours(24, 60) }),
  feature('final_tag_1d', TYPES.string, { op: 'last', column: 'tag', ...hours(24, 60) }),
  feature('tags_1d', TYPES.int64, { op: 'countDistinct', column: 'tag', ...hours(24, 60) }),
];

export function materializeManifest(path: string): Manifest {
  const all = FEATURES.map(({ name }) => name);
  return manifestOf({
    entities: {
      shop: { name: 'shop', keys: [{ name: 'shop', type: TYPES.string }] },
      pair: {
        name: 'pair',
        keys: [
          { name: 'shop', type: TYPES.string },
          { name: 'item', type: TYPES.int64 },
        ],
      },
    },
    sources: {
      sales: {
        name: 'sales',
        kind: 'parquet',
        location: { path },
        columns: COLUMNS,
        derive: [],
        eventTime: 'at',
        knownTime: { kind: 'column', column: 'known' },
        createdOrder: 'seq',
        tombstone: 'gone',
        pushes: 'until-materialized',
      },
    },
    views: {
      by_shop: viewOf('by_shop', 'shop', 'sales', ['shop'], FEATURES, { ttlMicros: 2 * MICROS_PER_DAY }),
      by_pair: viewOf('by_pair', 'pair', 'sales', ['shop', 'item'], FEATURES.slice(2)),
      hourly: viewOf('hourly', 'shop', 'sales', ['shop'], FEATURES.slice(0, 4), {
        freshness: { kind: 'scheduled', everyMicros: MICROS_PER_HOUR, lagMicros: 0 },
      }),
    },
    services: {
      all: {
        name: 'all',
        members: [
          { kind: 'view', role: 'by_shop', view: 'by_shop', keyColumns: ['shop'], features: all },
          { kind: 'view', role: 'by_pair', view: 'by_pair', keyColumns: ['shop', 'item'], features: all.slice(2) },
          { kind: 'view', role: 'hourly', view: 'hourly', keyColumns: ['shop'], features: all.slice(0, 4) },
        ],
      },
    },
  });
}

export function materializeDefinitions(directory: string): Definitions {
  return definitionsOf(materializeManifest(join(directory, 'sales*.parquet')), directory);
}

/** `count` rows over three days from START, the same for the same seed; some late, some null, some tombstones. */
export function sales(count: number, shops: number, seed = 1): Row[] {
  const random = createRandom(seed).next;
  const pick = <T extends Value>(...values: T[]) => values[Math.floor(random() * values.length)] as T;
  return Array.from({ length: count }, (_, i) => {
    const at = START + Math.floor(random() * 3 * 24 * 60) * MICROS_PER_MINUTE;
    const isBad = random();
    return {
      shop: isBad < 0.01 ? null : `shop ${Math.floor(random() * shops)}`,
      item: BigInt(Math.floor(random() * 3)) + 2n ** 53n,
      at: isBad > 0.99 ? null : at,
      known: at + pick(0, 0, 0, 5, 700) * MICROS_PER_MINUTE,
      seq: BigInt(i),
      gone: random() < 0.02,
      price: random() < 0.1 ? null : Math.floor(random() * 100) / 4,
      amount: random() < 0.1 ? null : BigInt(Math.floor(random() * 1000)) * 10n ** 12n,
      tag: pick('a', 'b', 'é', null),
    };
  });
}

/** What readers of the store read by, as the registry has it now. */
export async function openDirectory(database: Database): Promise<RecordDirectory> {
  return openRecordDirectory(await openRuns(database), await openRowSchemas(database));
}

/** What the store answers for one row of keys, by view. */
export async function readAll(
  manifest: Manifest,
  store: Pick<OnlineStore, 'read'>,
  directory: RecordDirectory,
  shop: string,
  item: bigint,
  at: Micros,
): Promise<readonly (readonly Value[])[]> {
  const reader = createFeatureReader(manifest, resolveService(manifest, 'all'), store, directory);
  const shopKey = encodeKey([TYPES.string], [shop]) as EncodedKey;
  const pairKey = encodeKey([TYPES.string, TYPES.int64], [shop, item]) as EncodedKey;
  const [row] = await reader.read([[shopKey, pairKey, shopKey]], at);
  return (row ?? []).map(({ values }) => values);
}

/** Every record of the store, as text, in order; without the numbers of the runs that wrote the bases. */
export async function dump(manifest: Manifest, store: OnlineStore): Promise<string[]> {
  const lines: string[] = [];
  for (const { name, entity } of Object.values(manifest.views)) {
    const { version } = createViewCodec(manifest, name);
    for await (const { key, record } of store.scan(entity, version)) {
      const base = record.base === undefined ? '-' : Buffer.from(record.base.subarray(8)).toString('hex');
      const parts = record.parts.map(({ writer, cut, boundary, fold }) => {
        return `${writer}.${cut}.${boundary} ${Buffer.from(fold).toString('hex')}`;
      });
      lines.push([name, Buffer.from(key).toString('hex'), base, ...parts].join(' '));
    }
  }
  return lines.sort();
}

/** What was read of a view is what the oracle says; `of` tells of what a difference is. */
export function expectView(
  manifest: Manifest,
  view: string,
  read: readonly Value[] | undefined,
  expected: readonly Value[],
  of: object,
): void {
  manifest.views[view]?.features.forEach(({ name, type }, f) => {
    const [value, wanted] = [read?.[f] ?? null, expected[f] ?? null];
    const place = { ...of, feature: `${view}.${name}` };
    if (!sameValue(type, value, wanted)) expect({ ...place, value }).toEqual({ ...place, value: wanted });
  });
}
