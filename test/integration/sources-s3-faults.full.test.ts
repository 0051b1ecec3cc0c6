// S3 that refuses, is slow, changes or stops half-way: a clear error and nothing kept, or the whole after a few tries; and
// of a year's days, a week's training set reads a week's.
// twin: test/integration/sources-s3-copies.test.ts > through a network that fails

import { readdirSync, readFileSync } from 'node:fs';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_DAY, MICROS_PER_HOUR, type Row } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { listTrainingSets, type OfflineDeps } from '../../src/offline/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { type Fault, type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import {
  fields,
  type OfflineWorld,
  oneView,
  openOfflineWorld,
  sourceOf,
  TYPES,
  viewOf,
  windowed,
} from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';

const COLUMNS = fields({ k: TYPES.string, at: TYPES.timestamp, n: TYPES.int64, dt: TYPES.string });
const SPINE = fields({ k: TYPES.string, when: TYPES.timestamp });
/** A midnight. */
const BASE = 1_699_920_000_000_000;

const program = findS3Server('faults of S3');
const httpfs = program === undefined ? undefined : findExtensions(['httpfs'], 'faults of S3 by httpfs');
const ways = [
  { how: 'copies', extensions: undefined },
  ...(httpfs === undefined ? [] : [{ how: 'httpfs', extensions: httpfs }]),
];

describe.skipIf(program === undefined).each(ways)('a source on S3, by $how', ({ how, extensions }) => {
  let world: OfflineWorld;
  let server: S3Server;
  let proxy: FaultyProxy;
  let bucket: string;
  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    proxy = await startFaultyProxy(server.endpoint);
  }, 120_000);
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  beforeEach(async () => {
    world = await openOfflineWorld([], extensions === undefined ? {} : { extensions });
    proxy.fault = () => undefined;
    bucket = await server.newBucket();
    return () => world.close();
  });

  let uploads = 0;
  const put = async (key: string, rows: readonly Row[]) => {
    const local = world.path(`upload-${++uploads}.parquet`);
    await world.put(local, COLUMNS.slice(0, 3), rows);
    await server.put(bucket, key, readFileSync(local));
  };
  const row = (n: number, at: number): Row => ({ k: `k${n % 5}`, at, n: BigInt(n) });

  const make = async (
    path: string,
    more: Partial<SourceSpec> = {},
    how_: Partial<OfflineDeps> = {},
    at = BASE + MICROS_PER_DAY,
  ) => {
    const feature = windowed('n_7d', TYPES.int64, 'sum', 'n', 7 * MICROS_PER_DAY, MICROS_PER_HOUR);
    const source = sourceOf('events', path, COLUMNS.slice(0, 3), more);
    const remote = { s3: { ...server.access, endpoint: proxy.endpoint } };
    const deps = { ...world.depsOf(oneView(source, viewOf('v', 'e', 'events', ['k'], [feature]))), remote, ...how_ };
    const set = await world.train(deps, [SPINE, [{ k: 'k1', when: at }]]);
    const [read] = await world.read(set.path, fields({ v__n_7d: TYPES.int64 }));
    return { set, value: read?.['v__n_7d'] };
  };
  // DuckDB counts whole seconds.
  const silenceMs = how === 'httpfs' ? 1000 : 300;
  const FAULTS: readonly (readonly [string, Fault, RegExp])[] = [
    ['refuses', { kind: 'status', status: 503 }, /does not answer/],
    ['ends half-way', { kind: 'cut', afterBytes: 100 }, /e\/a\.parquet/],
    ['takes the question and never answers', { kind: 'silence' }, /said nothing.*offline\.s3Silence/s],
    ['stops in the middle', { kind: 'silence', afterBytes: 100 }, /said nothing.*offline\.s3Silence/s],
  ];
  it.each(FAULTS)('is read whole where S3 %s twice, and given up where it always does', async (_, fault, told) => {
    const rows = Array.from({ length: 20_000 }, (_, n) => row(n, BASE + n));
    const wanted = rows.filter(({ k }) => k === 'k1').reduce((sum, { n }) => sum + (n as bigint), 0n);
    await put('e/a.parquet', rows);
    let left = 2;
    const isMeant = (path: string) => !('afterBytes' in fault) || path.includes('a.parquet');
    proxy.fault = (method, path) => (method === 'GET' && isMeant(path) && left-- > 0 ? fault : undefined);
    const patience = { remote: { s3: { ...server.access, endpoint: proxy.endpoint, silenceMs } } };
    const read = () => make(`s3://${bucket}/e/*.parquet`, {}, patience);
    expect((await read()).value).toBe(wanted);
    expect(left).toBeLessThan(0);
    const before = await listTrainingSets(world.deps);
    // Another object: of one that was read there is a copy.
    await put('e/a.parquet', rows.slice(1));
    [left, proxy.requests] = [Infinity, 0];
    await refused(
      read(),
      /HR_STORAGE_UNAVAILABLE|HR_SOURCE_UNREADABLE/,
      new RegExp(`source "events".*${told.source}`, 's'),
    );
    // At most five times a request, each asked three times.
    expect(proxy.requests).toBeLessThan(20);
    expect(await listTrainingSets(world.deps)).toEqual(before);
    const kept = readdirSync(world.directory, { recursive: true, encoding: 'utf8' });
    expect(kept.filter((name) => name.includes('unfinished'))).toEqual([]);
  });

  it('tells that an object changed, or went, while it was read', async () => {
    for (const change of ['changed', 'removed'] as const) {
      await put('e/a.parquet', [row(1, BASE)]);
      let isDone = false;
      proxy.fault = (method, path) => {
        // Once its bytes are asked for, another lies there.
        if (!isDone && method === 'GET' && path.includes('a.parquet')) {
          isDone = true;
          void (change === 'changed'
            ? put('e/a.parquet', [row(6, BASE), row(11, BASE)])
            : server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'e/a.parquet' })));
        }
        return undefined;
      };
      const made = await make(`s3://${bucket}/e/a.parquet`).then(
        ({ value }) => value,
        (error: { code: string; message: string }) => error,
      );
      // What was read before the change is whole, too.
      if (typeof made === 'bigint') expect(made).toBe(1n);
      else expect(made).toMatchObject({ code: expect.stringMatching(/HR_SOURCE_CHANGED|HR_SOURCE_UNREADABLE/) });
      proxy.fault = () => undefined;
    }
  });

  it('names what is wrong with the address or the credentials, and tells no secret', async () => {
    await put('e/a.parquet', [row(1, BASE)]);
    await refused(
      make(`s3://${bucket}/f/*.parquet`),
      'HR_SOURCE_UNREADABLE',
      /no object matches s3:\/\/.*\/f\/\*\.parquet/,
    );
    await refused(
      make('s3://no-such-bucket-here/e/*.parquet'),
      'HR_CONFIG',
      /source "events".*no bucket "no-such-bucket-here"/s,
    );
    for (const path of ['s3://', `s3://${bucket}`, 's3://key:secret@bucket/x'])
      await expect(make(path)).rejects.toMatchObject({
        code: 'HR_SOURCE_UNREADABLE',
        message: expect.not.stringContaining('secret@'),
      });
    if (server.name === 'moto') return;
    const secretAccessKey = 'a-wrong-secret-that-nobody-shall-see';
    const wrong = { ...server.access, secretAccessKey };
    await expect(make(`s3://${bucket}/e/*.parquet`, {}, { remote: { s3: wrong } })).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.not.stringContaining(secretAccessKey),
    });
  });

  it('says which object is truncated, and which has a column of another type', async () => {
    await put('e/a.parquet', [row(1, BASE)]);
    await server.put(bucket, 'e/b.parquet', 'PAR1 cut');
    await refused(make(`s3://${bucket}/e/*.parquet`), 'HR_SOURCE_UNREADABLE', 'e/b.parquet');
    const columns = fields({ k: TYPES.string, at: TYPES.string, n: TYPES.bool });
    const local = await world.put('other.parquet', columns, [{ k: 'k1', at: '2020-01-01', n: true }]);
    await server.put(bucket, 'e/b.parquet', readFileSync(local));
    await refused(make(`s3://${bucket}/e/*.parquet`), 'HR_SOURCE_UNREADABLE', /"n" is BOOLEAN/);
  });

  it.each([
    ['by their folders', { partitions: { dt: 'date' } } as const],
    ['by their footers', {}],
  ])('reads, of a year’s days, those that a week’s training set needs: %s', async (by, more) => {
    const days = 60;
    const rowsOf = (day: number) =>
      Array.from({ length: 3000 }, (_, n) => row(n * 7919 + day, BASE + day * MICROS_PER_DAY + n * 20_000_000));
    let size = 0;
    for (let day = 0; day < days; day++) {
      const local = world.path('day.parquet');
      await world.put(local, COLUMNS.slice(0, 3), rowsOf(day));
      const body = readFileSync(local);
      size = body.length;
      const key = `e/dt=${formatTimestamp(BASE + day * MICROS_PER_DAY).slice(0, 10)}/rows.parquet`;
      await server.put(bucket, key, body);
    }
    const path = `s3://${bucket}/e/dt=*/*.parquet`;
    const at = BASE + 40 * MICROS_PER_DAY;
    // What is known of the files is kept.
    if (by === 'by their folders' || how === 'httpfs') await make(path, more, {}, at);
    proxy.bytes = 0;
    const { set, value } = await make(path, more, {}, at);
    expect(set.sources[0]?.files.length).toBeLessThanOrEqual(9);
    expect(set.sources[0]?.skippedFiles).toBeGreaterThanOrEqual(days - 9);
    const wanted = Array.from({ length: days }, (_, day) => rowsOf(day))
      .flat()
      .filter(
        ({ k, at: happened }) =>
          k === 'k1' && (happened as number) <= at && (happened as number) >= at - 7 * MICROS_PER_DAY,
      )
      .reduce((sum, { n }) => sum + (n as bigint), 0n);
    expect(value).toBe(wanted);
    // Nine days and their footers, and listings. Without httpfs an object is fetched before its footer is seen.
    if (by === 'by their folders' || how === 'httpfs') expect(proxy.bytes).toBeLessThan(15 * size);
  });
});
