// Training sets from Parquet on a local S3 server against the same files on disk, and what is read of a year's days for a
// week. Skipped, and said, where no S3 server can be had.

import { createReadStream, readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  contentHash,
  type Field,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  silentLogger,
  silentProgress,
  systemClock,
} from '../src/core/index.ts';
import type { FeatureSpec, Manifest, SourceSpec } from '../src/definitions/index.ts';
import { createTrainingSet, type OfflineDeps } from '../src/offline/index.ts';
import { openDatabase, openDuckDb } from '../src/storage/index.ts';
import { findExtensions } from '../test/support/duckdb-extensions.ts';
import { startFaultyProxy } from '../test/support/faulty-proxy.ts';
import { findS3Server, startS3Server } from '../test/support/s3-server.ts';
import { median } from './median.ts';
import type { Section } from './report.ts';

const MOST_OF_DISK = 1.5;
/** The week, and what a window and a day's edges reach beyond it. */
const DAYS_NEEDED = 15;
const DAYS = 365;
const BASE = 1_600_041_600_000_000;
const COLUMNS: readonly Field[] = [
  { name: 'key', type: { kind: 'int64' } },
  { name: 'at', type: { kind: 'timestamp' } },
  ...Array.from({ length: 8 }, (_, i): Field => ({ name: `c${i}`, type: { kind: 'float64' } })),
];

export async function s3Section({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const program = findS3Server('benchmark of S3');
  const extensions = findExtensions(['httpfs'], 'benchmark of S3');
  const title = 'Sources on S3';
  if (program === undefined || extensions === undefined) {
    return { title, about: 'Not measured: there was no S3 server, or no httpfs.', figures: [] };
  }
  const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-s3-'));
  const server = await startS3Server(program);
  const proxy = await startFaultyProxy(server.endpoint);
  const { accessKeyId, secretAccessKey } = server;
  const credentials = { accessKeyId, secretAccessKey };
  const database = await openDatabase(`sqlite:${join(directory, 'registry.db')}`);
  const duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), memory: '4GB', extensions });
  try {
    const rows = isQuick ? 200_000 : 5_000_000;
    const connection = await duckdb.connect();
    await connection.run(
      `COPY (SELECT CAST(hash(i) % 50000 AS BIGINT) AS key, make_timestamp(CAST(${BASE} + (i * ${(DAYS * MICROS_PER_DAY) / rows}) AS BIGINT)) AS at,
        strftime(make_timestamp(CAST(${BASE} + (i * ${(DAYS * MICROS_PER_DAY) / rows}) AS BIGINT)), '%Y-%m-%d') AS dt,
        ${Array.from({ length: 8 }, (_, i) => `CAST(hash(i + ${i}) % 1000 AS DOUBLE) AS c${i}`).join(', ')}
        FROM range(${rows}) AS r(i)) TO '${join(directory, 'days')}' (FORMAT parquet, PARTITION_BY (dt))`,
    );
    const spine = join(directory, 'spine.parquet');
    const writeSpine = (from: number, days: number) =>
      connection.run(
        `COPY (SELECT CAST(hash(i) % 50000 AS BIGINT) AS key, make_timestamp(CAST(${from} + hash(i + 7) % ${days * 86_400} * 1000000 AS BIGINT)) AS t
          FROM range(${rows / 10}) AS r(i)) TO '${spine}' (FORMAT parquet)`,
      );
    const bucket = await server.newBucket();
    const client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    let bytes = 0;
    for (const path of filesUnder(join(directory, 'days'))) {
      bytes += statSync(path).size;
      const Key = relative(directory, path);
      const ContentLength = statSync(path).size;
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: createReadStream(path), ContentLength }));
    }
    client.destroy();
    const make = async (path: string, endpoint: string, dataDirectory: string): Promise<number> => {
      const deps: OfflineDeps = {
        definitions: { ...definitionsOf(manifestFor(path), directory) },
        database,
        duckdb,
        clock: systemClock,
        logger: silentLogger,
        progress: silentProgress,
        dataDirectory,
        log: undefined,
        remote: { s3: { endpoint, ...credentials } },
      };
      const start = performance.now();
      const out = join(directory, 'out.parquet');
      await createTrainingSet(deps, { service: 's', spine, timestamp: 't', labels: [], boundary: 'at', out });
      return (performance.now() - start) / 1000;
    };
    const [onDisk, onS3] = [join(directory, 'days/*/*.parquet'), `s3://${bucket}/days/*/*.parquet`];
    await writeSpine(BASE, DAYS);
    const seconds = { disk: [] as number[], s3: [] as number[], again: [] as number[] };
    for (let round = 0; round < (isQuick ? 1 : 5); round++) {
      const kept = join(directory, `kept-${round}`);
      seconds.disk.push(await make(onDisk, server.endpoint, `${kept}-disk`));
      seconds.s3.push(await make(onS3, server.endpoint, kept));
      seconds.again.push(await make(onS3, server.endpoint, kept));
    }
    const [disk, s3, again] = [median(seconds.disk), median(seconds.s3), median(seconds.again)];
    await writeSpine(BASE + 200 * MICROS_PER_DAY, 7);
    proxy.bytes = 0;
    await make(onS3, proxy.endpoint, join(directory, 'kept-week'));
    const share = proxy.bytes / ((bytes / DAYS) * DAYS_NEEDED);
    connection.closeSync();
    return {
      title,
      about: `Training sets of ${(rows / 10).toLocaleString('en')} rows × 9 features over ${rows.toLocaleString('en')} rows in ${DAYS} days' files, on ${program.name} on this machine with httpfs, against the same files on disk, in turns (medians); nothing of the files is known from before, and once more with what is kept. For a week's rows with a window of 7 days, bodies of all answers are counted, listings too, against the sizes of the ${DAYS_NEEDED} days that hold what is needed.`,
      figures: [
        {
          name: 'a year on S3, the first time',
          value: `${s3.toFixed(2)} s`,
          floor: `on disk: ${disk.toFixed(2)} s`,
          ratio: (s3 / disk).toFixed(2),
          mustBe: `≤ ${MOST_OF_DISK}`,
          isReached: s3 / disk <= MOST_OF_DISK,
        },
        { name: 'a year on S3, again', value: `${again.toFixed(2)} s`, ratio: (again / disk).toFixed(2) },
        {
          name: 'bytes for a week, the first time',
          value: `${(proxy.bytes / 1e6).toFixed(1)} MB of ${(bytes / 1e6).toFixed(0)}`,
          floor: `${DAYS_NEEDED} of ${DAYS} days: ${(((bytes / DAYS) * DAYS_NEEDED) / 1e6).toFixed(1)} MB`,
          ratio: share.toFixed(2),
          mustBe: '≤ 1.1',
          isReached: share <= 1.1,
        },
      ],
    };
  } finally {
    await proxy.stop();
    await server.stop();
    await duckdb.close();
    await database.close();
    await rm(directory, { recursive: true, force: true });
  }
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.parquet'))
    .map((name) => join(folder, name));
}

function definitionsOf(manifest: Manifest, directory: string): OfflineDeps['definitions'] {
  return { manifest, hash: contentHash(manifest), functions: new Map(), bundles: new Map(), directory };
}

function manifestFor(path: string): Manifest {
  const events: SourceSpec = {
    name: 'events',
    kind: 'parquet',
    location: { path },
    columns: COLUMNS,
    derive: [],
    eventTime: 'at',
    knownTime: { kind: 'after', micros: MICROS_PER_HOUR },
    pushes: 'until-materialized',
    partitions: { dt: 'date' },
  };
  const features: FeatureSpec[] = [
    ...COLUMNS.slice(2).map(
      ({ name }): FeatureSpec => ({ name, type: { kind: 'float64' }, aggregation: { op: 'latest', column: name } }),
    ),
    {
      name: 'sum_7d',
      type: { kind: 'float64' },
      aggregation: { op: 'sum', column: 'c0', windowMicros: 7 * MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR },
    },
  ];
  return {
    format: 1,
    project: 'bench',
    entities: { e: { name: 'e', keys: [{ name: 'key', type: { kind: 'int64' } }] } },
    sources: { events },
    views: {
      v: {
        name: 'v',
        entity: 'e',
        source: 'events',
        keyColumns: ['key'],
        ttlMicros: 7 * MICROS_PER_DAY,
        features,
        freshness: { kind: 'live' },
      },
    },
    onDemandViews: {},
    services: {
      s: {
        name: 's',
        members: [
          { kind: 'view', role: 'v', view: 'v', keyColumns: ['key'], features: features.map(({ name }) => name) },
        ],
      },
    },
    models: {},
    endpoints: {},
    pipelines: {},
  };
}
