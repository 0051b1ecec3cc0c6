// What a feature read costs: a packed row's decode, the merge of a base and a pushed part, and whole reads from LMDB,
// the last of three views with twelve features. Prints nanoseconds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type EncodedKey,
  encodeKey,
  encodeOrder,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  systemClock,
  type Value,
} from '../src/core/index.ts';
import { type FeatureSpec, type Manifest, resolveService, type ViewSpec } from '../src/definitions/index.ts';
import {
  createFeatureReader,
  createPartFolder,
  createRecordReader,
  createViewCodec,
  type OnlineStore,
  openOnlineStore,
  openRecordDirectory,
  openRowSchemas,
  openRuns,
  packBase,
  type RecordDirectory,
  type RowSchemas,
  type Runs,
} from '../src/online/index.ts';
import { openDatabase } from '../src/storage/index.ts';

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
  const store = await openOnlineStore(`lmdb:${join(folder, 'online')}`, { project: 'bench', clock: systemClock });
  const database = await openDatabase(`sqlite:${join(folder, 'registry.db')}`);
  try {
    const runs = await openRuns(database);
    const schemas = await openRowSchemas(database);
    const keys = Array.from({ length: KEYS }, (_, index) => encodeKey([string], [`key ${index}`]) as EncodedKey);
    await fill(store, runs, schemas, keys);
    const opened: Opened = { store, directory: await openRecordDirectory(runs, schemas) };
    return {
      'decode of one row of 5 columns': await measureRecord(opened, 'rows', keys[0] as EncodedKey),
      'merge of 24 base and 24 pushed tiles, 2 windows': await measureRecord(opened, 'windows', keys[0] as EncodedKey),
      'read of one row of 5 columns': measure(opened, 'rows', 1, keys),
      'read of two windows over 24 base and 24 pushed tiles': measure(opened, 'windows', 1, keys),
      'read of 3 views with 12 features': measure(opened, 'rows+more+windows', 3, keys),
    };
  } finally {
    await store.close();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Opened {
  readonly store: OnlineStore;
  readonly directory: RecordDirectory;
}

const FOR_EVER = () => undefined;

async function fill(store: OnlineStore, runs: Runs, schemas: RowSchemas, keys: readonly EncodedKey[]): Promise<void> {
  const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: FOR_EVER, onNode() {} });
  let n = 0;
  for (const view of Object.keys(views)) {
    const codec = createViewCodec(manifest, view);
    const { aggregator, version } = codec;
    await schemas.publish([codec.rowCodec.schema, codec.eventCodec.schema]);
    if (aggregator !== null) {
      // A base of a day's hourly tiles, before the pushed ones.
      const tiles = aggregator.create();
      for (let hour = 24; hour < 48; hour++) {
        const at = Float64Array.of(NOW - hour * MICROS_PER_HOUR);
        const inputs = aggregator.inputs.map(() => ({ numbers: Float64Array.of(hour), valid: Uint8Array.of(1) }));
        aggregator.update(tiles, { eventMicros: at, knownMicros: at, inputs }, 0);
      }
      const asOf = NOW - 24 * MICROS_PER_HOUR;
      const asked = { proposed: -Infinity, asOf, carriesWaiting: true, fingerprint: codec.fingerprint };
      const row = await runs.ask({ view, version, ...asked, askedMicros: asOf });
      await runs.open(row, {
        snapshot: [],
        boundary: -Infinity,
        coverage: { floor: 1, cuts: new Map() },
        isFull: true,
        since: 0,
      });
      const entity = codec.recordsOf;
      const run = await store.run({
        version,
        entity,
        run: row.number,
        lifetimeMs: FOR_EVER,
        isOpen: () => runs.isOpen(row),
      });
      for (const node of run.nodes) {
        await run.begin(node);
        const base = packBase(codec, row.number, asOf, { latest: null, tiles });
        await run.write(
          node,
          keys.map((key) => ({ entity: 'e', key, base })),
        );
        await run.mark(node);
      }
      await run.close();
      await runs.finish(row, { keys: KEYS, written: KEYS, rowsInRange: 0, rowsIgnored: 0 }, NOW);
    }
    const folder = createPartFolder(codec);
    await writer.putParts(
      keys.map((key, index) => {
        const row: Record<string, Value> = { a: index, b: 0.5, c: null, t: 'text' };
        const events = Array.from({ length: view === 'windows' ? 24 : 1 }, (_, hour) => {
          const at = NOW - hour * MICROS_PER_HOUR;
          const order = encodeOrder(undefined, { writer: 1, offset: hour });
          const values = codec.eventColumns.map((column) => (column === 'd' ? hour : (row[column] ?? null)));
          return { eventMicros: at, knownMicros: at, order, values };
        });
        const fold = folder.fold(undefined, events, NOW);
        return { entity: 'e', key, version, writer: 1, cut: 1, boundary: -Infinity, holder: 1, n: ++n, fold };
      }),
    );
  }
  await writer.close();
}

/** The record lies in memory: decode and merge alone. */
async function measureRecord({ store, directory }: Opened, view: string, key: EncodedKey): Promise<number> {
  const codec = createViewCodec(manifest, view);
  const [record] = await store.read([{ entity: 'e', version: codec.version, key }]);
  if (record === undefined) throw new Error('the record was written above');
  const reader = createRecordReader(codec, directory);
  return fastest(50 * KEYS, () => {
    for (let i = 0; i < 50 * KEYS; i++) reader.read(record, NOW);
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

function measure({ store, directory }: Opened, service: string, width: number, keys: readonly EncodedKey[]): number {
  const reader = createFeatureReader(manifest, resolveService(manifest, service), store, directory);
  const requests = keys.map((key) => [new Array<EncodedKey>(width).fill(key)]);
  return fastest(50 * KEYS, () => {
    for (let round = 0; round < 50; round++) {
      for (const request of requests) void reader.read(request, NOW);
    }
  });
}

if (import.meta.main) {
  for (const [name, nanos] of Object.entries(await measureDecodeAndMerge())) console.log(`${name}: ${nanos} ns`);
}
