// What a feature read costs: a packed row's decode, the merge of a base and a pushed part, and whole reads from LMDB,
// the last of three views with twelve features. Prints nanoseconds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EncodedKey, encodeKey, MICROS_PER_DAY, MICROS_PER_HOUR, systemClock } from '../src/core/index.ts';
import { type FeatureSpec, type Manifest, resolveService, type ViewSpec } from '../src/definitions/index.ts';
import {
  createFeatureReader,
  createViewCodec,
  type OnlineStore,
  openOnlineStore,
  writeBase,
  writePushed,
} from '../src/online/index.ts';
import { createRecordReader } from '../src/online/record-reader.ts';
import { schemaDirectory } from '../src/online/schema-directory.ts';

const KEYS = 1000;
const NOW = 1_790_000_000_000_000;
const float64 = { kind: 'float64' } as const;
const string = { kind: 'string' } as const;

const rowView = (name: string, columns: readonly string[]): ViewSpec => ({
  name,
  entity: 'e',
  source: 's',
  keyColumns: ['k'],
  ttlMicros: 30 * MICROS_PER_DAY,
  freshness: { kind: 'live' },
  features: columns.map((column) => ({
    name: column,
    type: column === 't' ? string : float64,
    aggregation: { op: 'latest', column },
  })),
});
const window = (name: string, op: 'count' | 'mean'): FeatureSpec => ({
  name,
  type: op === 'count' ? { kind: 'int64' } : float64,
  aggregation: {
    op,
    column: op === 'count' ? null : 'a',
    windowMicros: 7 * MICROS_PER_DAY,
    hopMicros: MICROS_PER_HOUR,
  },
});
const views: Record<string, ViewSpec> = {
  rows: rowView('rows', ['a', 'b', 'c', 'd', 't']),
  more: rowView('more', ['a', 'b', 'c', 'd', 't']),
  windows: { ...rowView('windows', []), features: [window('n', 'count'), window('m', 'mean')] },
};
const members = (names: readonly string[]) =>
  names.map((view) => ({
    kind: 'view' as const,
    role: view,
    view,
    keyColumns: ['k'],
    features: (views[view] as ViewSpec).features.map(({ name }) => name),
  }));
const manifest: Manifest = {
  format: 1,
  project: 'bench',
  onDemandViews: {},
  models: {},
  endpoints: {},
  pipelines: {},
  views,
  entities: { e: { name: 'e', keys: [{ name: 'k', type: string }] } },
  sources: {
    s: {
      name: 's',
      kind: 'pushed',
      location: {},
      derive: [],
      eventTime: 'at',
      knownTime: { kind: 'after', micros: 0 },
      pushes: 'keep',
      columns: [
        { name: 'k', type: string },
        { name: 'at', type: { kind: 'timestamp' } },
        { name: 't', type: string },
        ...['a', 'b', 'c', 'd'].map((name) => ({ name, type: float64 })),
      ],
    },
  },
  services: Object.fromEntries(
    [['rows'], ['windows'], ['rows', 'more', 'windows']].map((names) => [
      names.join('+'),
      { name: names.join('+'), members: members(names) },
    ]),
  ),
};

/** Nanoseconds per operation, by name. */
export async function measureDecodeAndMerge(): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const store = await openOnlineStore(`lmdb:${folder}`, { project: 'bench', clock: systemClock });
  try {
    const keys = Array.from({ length: KEYS }, (_, index) => encodeKey([string], [`key ${index}`]) as EncodedKey);
    await fill(store, keys);
    return {
      'decode of one row of 5 columns': await measureRecord(store, 'rows', keys[0] as EncodedKey),
      'merge of 24 base and 24 pushed tiles, 2 windows': await measureRecord(store, 'windows', keys[0] as EncodedKey),
      'read of one row of 5 columns': measure(store, 'rows', 1, keys),
      'read of two windows over 24 base and 24 pushed tiles': measure(store, 'windows', 1, keys),
      'read of 3 views with 12 features': measure(store, 'rows+more+windows', 3, keys),
    };
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fill(store: OnlineStore, keys: readonly EncodedKey[]): Promise<void> {
  for (const view of Object.keys(views)) {
    const codec = createViewCodec(manifest, view);
    const { aggregator } = codec;
    if (aggregator !== null) {
      // A base of a day's hourly tiles, before the pushed ones.
      const tiles = aggregator.create();
      for (let hour = 24; hour < 48; hour++) {
        const at = Float64Array.of(NOW - hour * MICROS_PER_HOUR);
        const inputs = aggregator.inputs.map(() => ({ numbers: Float64Array.of(hour), valid: Uint8Array.of(1) }));
        aggregator.update(tiles, { eventMicros: at, knownMicros: at, inputs }, 0);
      }
      await writeBase(
        store,
        codec,
        keys.map((key) => ({ key, latest: null, tiles })),
        NOW - 24 * MICROS_PER_HOUR,
      );
    }
    const events = keys.flatMap((key, index) =>
      Array.from({ length: view === 'windows' ? 24 : 1 }, (_, hour) => {
        const at = NOW - hour * MICROS_PER_HOUR;
        return {
          key,
          eventMicros: at,
          knownMicros: at,
          order: at,
          row: { a: index, b: 0.5, c: null, d: hour, t: 'text' },
        };
      }),
    );
    await writePushed(store, codec, events);
  }
}

/** The record lies in memory: decode and merge alone. */
async function measureRecord(store: OnlineStore, view: string, key: EncodedKey): Promise<number> {
  const [record] = await store.read([{ entity: 'e', view, key }]);
  if (record === undefined) throw new Error('the record was written above');
  const reader = createRecordReader(createViewCodec(manifest, view), schemaDirectory(store));
  return fastest(50 * KEYS, () => {
    for (let i = 0; i < 50 * KEYS; i++) reader.read(record, NOW, undefined);
  });
}

function fastest(times: number, pass: () => void): number {
  pass();
  const nanos = [1, 2, 3].map(() => {
    const from = performance.now();
    pass();
    return ((performance.now() - from) * 1e6) / times;
  });
  return Math.round(Math.min(...nanos));
}

function measure(store: OnlineStore, service: string, width: number, keys: readonly EncodedKey[]): number {
  const reader = createFeatureReader(manifest, resolveService(manifest, service), store);
  const requests = keys.map((key) => [new Array<EncodedKey>(width).fill(key)]);
  return fastest(50 * KEYS, () => {
    for (let round = 0; round < 50; round++) {
      for (const request of requests) void reader.read(request, NOW, () => undefined);
    }
  });
}

if (import.meta.main) {
  for (const [name, nanos] of Object.entries(await measureDecodeAndMerge())) console.log(`${name}: ${nanos} ns`);
}
