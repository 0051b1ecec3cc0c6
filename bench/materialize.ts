// Materialize, the whole command and its write path alone, against the store's own bulk load of as many records of the
// same bytes: `redis-cli --pipe`, and a bare loop of LMDB's fastest puts. Nothing is computed there.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { open } from 'lmdb';
import {
  contentHash,
  type DataType,
  type EncodedKey,
  encodeKey,
  encodeOrder,
  type Field,
  silentLogger,
  silentProgress,
  systemClock,
} from '../src/core/index.ts';
import type { Definitions, FeatureSpec, Manifest, SourceSpec } from '../src/definitions/index.ts';
import { materialize } from '../src/offline/index.ts';
import {
  type BaseWrite,
  createViewCodec,
  lifetimesOf,
  type OnlineStore,
  openOnlineStore,
  openRuns,
  packBase,
} from '../src/online/index.ts';
import { type Database, openDatabase, openDuckDb } from '../src/storage/index.ts';

export interface MaterializeFigures {
  readonly store: 'lmdb' | 'redis';
  readonly keys: number;
  /** The whole command, from opening the source's files to the store's mark. */
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** Ready bases through the store's run, to its mark. */
  readonly writeRowsPerSecond: number;
  readonly floorRowsPerSecond: number;
  readonly recordBytes: number;
  /** rowsPerSecond / floorRowsPerSecond. */
  readonly ratio: number;
  /** writeRowsPerSecond / floorRowsPerSecond. */
  readonly writeRatio: number;
}

const COLUMNS = Array.from({ length: 10 }, (_, index) => `c${index}`);
const VIEW = 'rows';
const ENTITY = 'thing';
const STRING: DataType = { kind: 'string' };

/** `redisUrl` gives Redis; left out, LMDB in a temporary folder. */
export async function measureMaterialize(
  options: { readonly keys?: number; readonly redisUrl?: string } = {},
): Promise<MaterializeFigures> {
  const { keys = 1_000_000, redisUrl } = options;
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), memory: '2GB' });
  const database = await openDatabase(`sqlite:${join(directory, 'registry.db')}`);
  const openStore = (name: string) =>
    openOnlineStore(redisUrl ?? `lmdb:${join(directory, name)}`, { project: `b${name}`, clock: systemClock });
  try {
    const file = join(directory, 'rows.parquet');
    const connection = await duckdb.connect();
    await connection.run(
      `COPY (SELECT 'key ' || i AS id, ${COLUMNS.map((name, index) => `CAST((i * ${index + 3}) % 1009 AS DOUBLE) AS ${name}`).join(', ')},
        TIMESTAMP '2024-01-01' + to_seconds(i) AS "at" FROM range(${keys}) t(i)) TO '${file}' (FORMAT parquet)`,
    );
    connection.closeSync();
    const manifest = manifestOf(file);
    const definitions: Definitions = {
      manifest,
      hash: contentHash(manifest),
      functions: new Map(),
      bundles: new Map(),
      directory,
    };
    const [clock, logger, progress] = [systemClock, silentLogger, silentProgress];

    const whole = await openStore('whole');
    const shared = { definitions, database, duckdb, clock, logger, progress, log: undefined, dataDirectory: directory };
    const start = performance.now();
    await materialize({ ...shared, store: whole }, { incremental: false, dryRun: false });
    const seconds = (performance.now() - start) / 1000;
    const recordBytes = await sizeOfRecord(whole, manifest);
    await whole.close();

    const apart = await openStore('apart');
    const writeSeconds = await writeReady(apart, database, manifest, keys);
    await apart.close();
    const floorSeconds =
      redisUrl === undefined
        ? await bulkLoadLmdb(join(directory, 'floor'), keys, manifest)
        : await bulkLoadRedis(redisUrl, directory, keys, manifest);
    const [rowsPerSecond, writeRowsPerSecond] = [keys / seconds, keys / writeSeconds];
    const floorRowsPerSecond = keys / floorSeconds;
    return {
      store: redisUrl === undefined ? 'lmdb' : 'redis',
      keys,
      seconds,
      rowsPerSecond,
      writeRowsPerSecond,
      floorRowsPerSecond,
      recordBytes,
      ratio: rowsPerSecond / floorRowsPerSecond,
      writeRatio: writeRowsPerSecond / floorRowsPerSecond,
    };
  } finally {
    await database.close();
    await duckdb.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function sizeOfRecord(store: OnlineStore, manifest: Manifest): Promise<number> {
  const { version } = createViewCodec(manifest, VIEW);
  const key = keyOf(0);
  const [record] = await store.read([{ entity: ENTITY, key, version }]);
  if (record?.base === undefined) throw new Error('materialize wrote nothing');
  return record.base.length;
}

const keyOf = (index: number): EncodedKey => encodeKey([STRING], [`key ${index}`]) as EncodedKey;

function baseOf(manifest: Manifest, run: number): Uint8Array {
  const codec = createViewCodec(manifest, VIEW);
  const order = encodeOrder(undefined, undefined);
  const latest = { eventMicros: 1, knownMicros: 1, order, values: COLUMNS.map((_, i) => i + 0.5) };
  return packBase(codec, run, 1, { latest, tiles: null });
}

const BATCH = 2048;

async function writeReady(store: OnlineStore, database: Database, manifest: Manifest, keys: number): Promise<number> {
  const { version, fingerprint } = createViewCodec(manifest, VIEW);
  const runs = await openRuns(database);
  const asks = { proposed: -Infinity, asOf: 1, carriesWaiting: true, fingerprint, askedMicros: 1 };
  const row = await runs.ask({ view: VIEW, version, ...asks });
  await runs.open(row, {
    snapshot: [],
    boundary: -Infinity,
    coverage: { floor: 0, cuts: new Map() },
    isFull: true,
    since: 0,
  });
  const base = baseOf(manifest, row.number);
  const batches: BaseWrite[][] = [];
  for (const index of inOrder(keys)) {
    if (index % BATCH === 0 || batches.length === 0) batches.push([]);
    if ((batches.at(-1) as BaseWrite[]).length === BATCH) batches.push([]);
    (batches.at(-1) as BaseWrite[]).push({ entity: ENTITY, key: keyOf(index), base });
  }
  const start = performance.now();
  const isOpen = () => runs.isOpen(row);
  const codec = createViewCodec(manifest, VIEW);
  const run = await store.run({
    version,
    entity: codec.recordsOf,
    run: row.number,
    lifetimeMs: lifetimesOf([codec]),
    isOpen,
  });
  const [node] = run.nodes;
  if (node === undefined) throw new Error('the store has no node');
  await run.begin(node);
  for (const batch of batches) await run.write(node, batch);
  await run.mark(node);
  const seconds = (performance.now() - start) / 1000;
  await run.close();
  return seconds;
}

/** The keys' numbers in the order of their texts, as a run has them. */
function inOrder(keys: number): number[] {
  const texts = Array.from({ length: keys }, (_, index) => String(index));
  return texts.sort().map(Number);
}

async function bulkLoadLmdb(path: string, keys: number, manifest: Manifest): Promise<number> {
  const { version } = createViewCodec(manifest, VIEW);
  const db = open({ path, keyEncoding: 'binary', encoding: 'binary' });
  const value = Buffer.from(baseOf(manifest, 1));
  const order = inOrder(keys);
  const start = performance.now();
  for (let from = 0; from < keys; from += BATCH) {
    db.transactionSync(() => {
      for (let at = from; at < Math.min(from + BATCH, keys); at++)
        db.putSync(Buffer.from(`bench ${ENTITY} key ${order[at]} ${version}`), value);
    });
  }
  await db.flushed;
  const seconds = (performance.now() - start) / 1000;
  await db.close();
  return seconds;
}

async function bulkLoadRedis(url: string, directory: string, keys: number, manifest: Manifest): Promise<number> {
  const { version } = createViewCodec(manifest, VIEW);
  const base = Buffer.from(baseOf(manifest, 1));
  const file = join(directory, 'commands');
  // The keys' texts are as long as the store's own.
  const commands = function* () {
    for (let from = 0; from < keys; from += BATCH) {
      const parts: Buffer[] = [];
      for (let index = from; index < Math.min(from + BATCH, keys); index++) {
        const key = `hr:{bfloor:${ENTITY}:${Buffer.from(keyOf(index)).toString('base64url')}}`;
        const head = `*4\r\n$4\r\nHSET\r\n$${key.length}\r\n${key}\r\n$${version.length}\r\n${version}\r\n$${base.length}\r\n`;
        parts.push(Buffer.from(head), base, Buffer.from('\r\n'));
      }
      yield Buffer.concat(parts);
    }
  };
  await pipeline(commands, createWriteStream(file));
  const { hostname, port } = new URL(url);
  const start = performance.now();
  const client = spawn('redis-cli', ['-h', hostname, '-p', port, '--pipe'], {
    stdio: [openSync(file, 'r'), 'ignore', 'inherit'],
  });
  const code = await new Promise((resolve, reject) => client.once('error', reject).once('exit', resolve));
  if (code !== 0) throw new Error(`redis-cli --pipe ended with ${String(code)}`);
  return (performance.now() - start) / 1000;
}

function manifestOf(path: string): Manifest {
  const float64: DataType = { kind: 'float64' };
  const columns: Field[] = [
    { name: 'id', type: STRING },
    { name: 'at', type: { kind: 'timestamp' } },
    ...COLUMNS.map((name) => ({ name, type: float64 })),
  ];
  const source: SourceSpec = {
    name: 'rows',
    kind: 'parquet',
    location: { path },
    columns,
    derive: [],
    eventTime: 'at',
    knownTime: { kind: 'after', micros: 0 },
    pushes: 'until-materialized',
  };
  const features = COLUMNS.map(
    (column): FeatureSpec => ({ name: column, type: float64, aggregation: { op: 'latest', column } }),
  );
  return {
    format: 1,
    project: 'bench',
    entities: { [ENTITY]: { name: ENTITY, keys: [{ name: 'id', type: STRING }] } },
    sources: { rows: source },
    views: {
      [VIEW]: {
        name: VIEW,
        entity: ENTITY,
        source: 'rows',
        keyColumns: ['id'],
        ttlMicros: null,
        features,
        freshness: { kind: 'live' },
      },
    },
    onDemandViews: {},
    services: {},
    models: {},
    endpoints: {},
    pipelines: {},
  };
}
