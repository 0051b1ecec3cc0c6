// Materialize, rows per second, against the store's own bulk load: as many records of the same size, written by the
// store's client with nothing computed.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { open } from 'lmdb';
import {
  contentHash,
  type DataType,
  type Field,
  silentLogger,
  silentProgress,
  systemClock,
} from '../src/core/index.ts';
import type { FeatureSpec, Manifest, SourceSpec } from '../src/definitions/index.ts';
import { materialize } from '../src/offline/index.ts';
import { openOnlineStore } from '../src/online/index.ts';
import { openDatabase, openDuckDb } from '../src/storage/index.ts';

export interface MaterializeFigures {
  readonly store: 'lmdb' | 'redis';
  readonly keys: number;
  readonly rowsPerSecond: number;
  readonly floorRowsPerSecond: number;
  readonly recordBytes: number;
  /** rowsPerSecond / floorRowsPerSecond. */
  readonly ratio: number;
}

const COLUMNS = Array.from({ length: 8 }, (_, index) => `c${index}`);
const VIEW = 'rows';
const ENTITY = 'thing';

/** `redisUrl` gives Redis; left out, LMDB in a temporary folder. */
export async function measureMaterialize(
  options: { readonly keys?: number; readonly redisUrl?: string } = {},
): Promise<MaterializeFigures> {
  const { keys = 200_000, redisUrl } = options;
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), memory: '2GB' });
  const database = await openDatabase(`sqlite:${join(directory, 'registry.db')}`);
  const store = await openOnlineStore(redisUrl ?? `lmdb:${join(directory, 'online')}`, {
    project: `bench_${process.pid}`,
    clock: systemClock,
  });
  try {
    const file = join(directory, 'rows.parquet');
    const connection = await duckdb.connect();
    await connection.run(
      `COPY (SELECT 'key ' || i AS id, ${COLUMNS.map((name, index) => `CAST((i * ${index + 3}) % 1009 AS DOUBLE) AS ${name}`).join(', ')},
        TIMESTAMP '2024-01-01' + to_seconds(i) AS at FROM range(${keys}) t(i)) TO '${file}' (FORMAT parquet)`,
    );
    connection.closeSync();
    const manifest = manifestOf(file);
    const start = performance.now();
    await materialize(
      {
        definitions: { manifest, hash: contentHash(manifest), functions: new Map(), directory },
        database,
        duckdb,
        store,
        clock: systemClock,
        logger: silentLogger,
        progress: silentProgress,
        dataDirectory: directory,
        pushLogDirectory: join(directory, 'push-log'),
      },
      { incremental: false, dryRun: false },
    );
    const seconds = (performance.now() - start) / 1000;
    const recordBytes = await sizeOfRecord();
    const floorSeconds =
      redisUrl === undefined
        ? await bulkLoadLmdb(join(directory, 'floor'), keys, recordBytes)
        : await bulkLoadRedis(redisUrl, keys, recordBytes);
    const [rowsPerSecond, floorRowsPerSecond] = [keys / seconds, keys / floorSeconds];
    return {
      store: redisUrl === undefined ? 'lmdb' : 'redis',
      keys,
      rowsPerSecond,
      floorRowsPerSecond,
      recordBytes,
      ratio: rowsPerSecond / floorRowsPerSecond,
    };
  } finally {
    await store.close();
    await database.close();
    await duckdb.close();
    rmSync(directory, { recursive: true, force: true });
  }

  async function sizeOfRecord(): Promise<number> {
    for await (const { record } of store.scan(ENTITY, VIEW)) return record.base?.length ?? 0;
    throw new Error('materialize wrote nothing');
  }
}

function manifestOf(path: string): Manifest {
  const float64: DataType = { kind: 'float64' };
  const string: DataType = { kind: 'string' };
  const columns: Field[] = [
    { name: 'id', type: string },
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
    entities: { [ENTITY]: { name: ENTITY, keys: [{ name: 'id', type: string }] } },
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

const BATCH = 1000;

async function bulkLoadLmdb(path: string, keys: number, bytes: number): Promise<number> {
  const db = open({ path, keyEncoding: 'binary', encoding: 'binary' });
  const value = Buffer.alloc(bytes, 1);
  const start = performance.now();
  for (let from = 0; from < keys; from += BATCH) {
    db.transactionSync(() => {
      for (let index = from; index < Math.min(from + BATCH, keys); index++)
        db.putSync(Buffer.from(`bench ${ENTITY} key ${index} ${VIEW}`), value);
    });
  }
  await db.flushed;
  const seconds = (performance.now() - start) / 1000;
  await db.close();
  return seconds;
}

async function bulkLoadRedis(url: string, keys: number, bytes: number): Promise<number> {
  const redis = new Redis(url);
  const value = Buffer.alloc(bytes, 1);
  const start = performance.now();
  for (let from = 0; from < keys; from += BATCH) {
    const pipeline = redis.pipeline();
    for (let index = from; index < Math.min(from + BATCH, keys); index++)
      pipeline.hset(`floor:{${index}}`, VIEW, value);
    await pipeline.exec();
  }
  const seconds = (performance.now() - start) / 1000;
  redis.disconnect();
  return seconds;
}
