// Shops whose sales come by file and by push: a view of windows and one of latest rows, pushed to by real ingestion and
// materialized into a real store, by a clock that tests set.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openQuarantine } from '../../src/checks/index.ts';
import {
  type EncodedKey,
  encodeKey,
  type Field,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  type Micros,
  type Row,
  silentLogger,
  toJson,
} from '../../src/core/index.ts';
import { type FeatureSpec, type Manifest, resolveService, type SourceSpec } from '../../src/definitions/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { type Ingestion, openFeeds, openIngestion } from '../../src/ingestion/index.ts';
import {
  createRowDeriver,
  createTrainingSet,
  type MaterializeDeps,
  type MaterializedView,
  type MaterializeRequest,
  materialize,
} from '../../src/offline/index.ts';
import { createFeatureReader, createViewCodec, openRowSchemas, openRuns } from '../../src/online/index.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { openDirectory } from './materialize-world.ts';
import {
  definitionsOf,
  fields,
  manifestOf,
  openOfflineWorld,
  readParquet,
  TYPES,
  viewOf,
  writeParquet,
} from './offline-world.ts';
import { LIMITS } from './ingestion-limits.ts';
import type { OnlineStoreKind } from './online-stores.ts';

export const NOW = 1_700_000_000_000_000;

export const SALE_COLUMNS: readonly Field[] = fields({ shop: TYPES.string, at: TYPES.timestamp, price: TYPES.float64 });

export const sale = (shop: string, at: Micros, price: number): Row => ({ shop, at, price });

export type PushesWorld = Awaited<ReturnType<typeof openPushesWorld>>;

/** Another manifest than the shops'; its one source is `sales`, of the files `sales*.parquet`. */
export interface OtherSales {
  readonly columns: readonly Field[];
  manifest(path: string): Manifest;
}

export async function openPushesWorld(
  kind: Pick<OnlineStoreKind, 'prepare'>,
  source: Partial<SourceSpec> = {},
  { columns, manifest: manifestAt }: OtherSales = {
    columns: SALE_COLUMNS,
    manifest: (path) => shopManifest(path, source),
  },
) {
  /** Of materialize. */
  const warnings: object[] = [];
  const world = await openOfflineWorld(warnings);
  const { directory } = world;
  const place = await kind.prepare();
  const clock = { now: NOW, nowMicros: (): Micros => clock.now };
  const store = await place.open(clock);
  const objects = join(directory, 'shipped');
  mkdirSync(objects);
  const openLog = (path: string) =>
    openEventLog({
      path: join(directory, path),
      database: world.deps.database,
      objects: openObjectStore(`file:${objects}`),
      clock,
      logger: silentLogger,
    });
  const log = await openLog('log');
  const runs = await openRuns(world.deps.database);
  const schemas = await openRowSchemas(world.deps.database);
  const feeds = await openFeeds(world.deps.database);
  const quarantine = await openQuarantine(world.deps.database, { maxBytes: 1e6 });
  const manifest = manifestAt(join(directory, 'sales*.parquet'));
  const definitions = definitionsOf(manifest, directory);
  const deps: MaterializeDeps = { ...world.deps, definitions, clock, store, log, askTimeoutMs: 1000 };
  const opened: Ingestion[] = [];
  /** Another writer: a process of its own as far as the log can tell. */
  const openOne = ({ isSilent = false, claimRetentionMs = 86_400_000 } = {}): Ingestion => {
    const ingestion = openIngestion(
      {
        log,
        store,
        runs,
        schemas,
        quarantine: async () => quarantine,
        feeds,
        deriver: (given, of) => createRowDeriver(given, of, async () => world.deps.duckdb),
        clock,
        logger: silentLogger,
        limits: { ...LIMITS, claimRetentionMs },
      },
      { definitions: () => definitions, closeLimitMs: 2000, ...(!isSilent && { lookEveryMs: 20 }) },
    );
    opened.push(ingestion);
    return ingestion;
  };
  let ingestion: Ingestion | undefined;
  return {
    directory,
    deps,
    store,
    place,
    clock,
    manifest,
    objects,
    log,
    quarantine,
    warnings,
    file: (name: string, rows: readonly Row[]) => writeParquet(world.connection, join(directory, name), columns, rows),
    async push(...rows: readonly Row[]) {
      ingestion ??= openOne();
      const json = rows.map((row) => asJson(columns, row));
      await ingestion.push('sales', json);
    },
    /** Ends the writer that `push` opened; the next push opens another. */
    async stopPushes() {
      await ingestion?.close();
      ingestion = undefined;
    },
    openIngestion: openOne,
    run: async (request: Partial<MaterializeRequest> = {}): Promise<readonly MaterializedView[]> =>
      (await materialize(deps, { incremental: true, dryRun: false, ...request })).views,
    rowsOf: (view: string) => runs.ofVersion(createViewCodec(manifest, view).version),
    /** Of the view with windows: `count`, `sum` and `lastPrice`; of the view of latest rows alone the others. */
    async read(shop: string, at = clock.now) {
      const directory = await openDirectory(world.deps.database);
      const reader = createFeatureReader(manifest, resolveService(manifest, 'all'), store, directory);
      const key = encodeKey([TYPES.string], [shop]) as EncodedKey;
      const [row] = await reader.read([[key, key]], at);
      const [windows, latest] = row ?? [];
      const [count = null, sum = null, lastPrice = null] = windows?.values ?? [];
      return { count, sum, lastPrice, last: latest?.values[0] ?? null, lastStatus: latest?.statuses[0] };
    },
    async close() {
      for (const one of opened) await one.close();
      await log.close();
      await store.close();
      await place.remove();
      await world.close();
    },
  };
}

export function asJson(columns: readonly Field[], row: Row): unknown {
  return Object.fromEntries(columns.map(({ name, type }) => [name, toJson(type, row[name] ?? null)]));
}

const month = { windowMicros: 30 * MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR };
const FEATURES: readonly FeatureSpec[] = [
  { name: 'count', type: TYPES.int64, aggregation: { op: 'count', column: null, ...month } },
  { name: 'sum', type: TYPES.float64, aggregation: { op: 'sum', column: 'price', ...month } },
  { name: 'last_price', type: TYPES.float64, aggregation: { op: 'latest', column: 'price' } },
];

/** `path` is the source's. */
export function shopManifest(path: string, more: Partial<SourceSpec> = {}): Manifest {
  const latest = FEATURES.slice(2);
  const member = (view: string, features: readonly FeatureSpec[]) => ({
    kind: 'view' as const,
    role: view,
    view,
    keyColumns: ['shop'],
    features: features.map(({ name }) => name),
  });
  return manifestOf({
    entities: { shop: { name: 'shop', keys: [{ name: 'shop', type: TYPES.string }] } },
    sources: {
      sales: {
        name: 'sales',
        kind: 'parquet',
        location: { path },
        columns: SALE_COLUMNS,
        derive: [],
        eventTime: 'at',
        knownTime: { kind: 'after', micros: 0 },
        pushes: 'until-materialized',
        ...more,
      },
    },
    views: {
      sold: viewOf('sold', 'shop', 'sales', ['shop'], FEATURES),
      last: viewOf('last', 'shop', 'sales', ['shop'], latest),
    },
    services: { all: { name: 'all', members: [member('sold', FEATURES), member('last', latest)] } },
  });
}

/** A training set of these shops as at a time: its rows and its id. */
export async function shopTrainingSet(
  { deps, directory }: PushesWorld,
  shops: readonly string[],
  name = 'set',
  when: Micros = NOW,
) {
  const connection = await deps.duckdb.connect();
  try {
    const spine = fields({ shop: TYPES.string, when: TYPES.timestamp });
    const asked = shops.map((shop) => ({ shop, when }));
    await writeParquet(connection, join(directory, 'spine.parquet'), spine, asked);
    const out = join(directory, `${name}.parquet`);
    const request = { service: 'all', spine: 'spine.parquet', directory, timestamp: 'when', labels: [], out };
    const { id } = await createTrainingSet(deps, { ...request, boundary: 'at' });
    const features = { sold__count: TYPES.int64, sold__sum: TYPES.float64, last__last_price: TYPES.float64 };
    return { rows: await readParquet(connection, out, fields({ shop: TYPES.string, ...features })), id };
  } finally {
    connection.closeSync();
  }
}
