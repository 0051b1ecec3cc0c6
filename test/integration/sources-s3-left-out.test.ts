// Objects that their folders leave out of a training set are looked at once for rows of another time, and never again: later sets
// ask S3 for a listing alone.

import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseTimestamp } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import {
  fields,
  latest,
  oneView,
  openOfflineWorld,
  type OfflineWorld,
  sourceOf,
  TYPES,
  viewOf,
} from '../support/offline-world.ts';
import type { S3Server } from '../support/s3-server.ts';
import { sharedS3 } from '../support/shared-servers.ts';

const shared = sharedS3('objects that are left out');
const httpfs = shared === undefined ? undefined : findExtensions(['httpfs'], 'objects that are left out, by httpfs');
const COLUMNS = fields({ k: TYPES.string, at: TYPES.timestamp, n: TYPES.int64 });
const WHEN = parseTimestamp('2024-01-01T23:45:00Z') ?? null;
const DERIVED: Partial<SourceSpec> = {
  derive: [{ name: 'happened', type: TYPES.timestamp, by: { kind: 'sql', sql: '"at" + INTERVAL 0 HOUR' } }],
  eventTime: 'happened',
};
const ways = [
  { how: 'copies', extensions: undefined },
  ...(httpfs === undefined ? [] : [{ how: 'httpfs', extensions: httpfs }]),
];

describe.skipIf(shared === undefined).each(ways)('objects that their folders leave out, by $how', ({ extensions }) => {
  let server: Omit<S3Server, 'stop'>;
  let proxy: FaultyProxy;
  let world: OfflineWorld;
  let bucket: string;
  let asked: string[];
  const warnings: object[] = [];
  beforeAll(async () => {
    server = (await shared) as typeof server;
    proxy = await startFaultyProxy(server.endpoint);
    return () => proxy.stop();
  });
  beforeEach(async () => {
    world = await openOfflineWorld(warnings, extensions === undefined ? {} : { extensions });
    bucket = await server.newBucket();
    asked = [];
    proxy.fault = (method, path) => void asked.push(`${method} ${path}`);
  });
  afterEach(async () => {
    warnings.length = 0;
    await world.close();
  });

  const put = async (kind: string, folder: string, time: string, at: string = time) => {
    const local = world.path(`upload.${kind}`);
    await world.select(
      `COPY (SELECT 'x' AS k, TIMESTAMP '2024-01-${at}' AS "at", ${Number(time.slice(0, 2))}::BIGINT AS n) TO '${local}' (FORMAT ${kind})`,
    );
    await server.put(bucket, `e/dt=2024-01-${folder}/a.${kind}`, readFileSync(local));
  };
  const make = (kind: 'csv' | 'parquet', more: Partial<SourceSpec> = {}, cacheBytes?: number) => {
    const path = `s3://${bucket}/e/dt=*/*.${kind}`;
    const source = sourceOf('events', path, COLUMNS, { kind, partitions: { dt: 'date' }, ...more });
    const remote = {
      s3: { ...server.access, endpoint: proxy.endpoint },
      ...(cacheBytes !== undefined && { cacheBytes }),
    };
    const view = viewOf('v', 'e', 'events', ['k'], [latest('n', TYPES.int64, 'n')]);
    const spine = [{ k: 'x', when: WHEN }];
    return world.train({ ...world.depsOf(oneView(source, view)), remote }, [
      fields({ k: TYPES.string, when: TYPES.timestamp }),
      spine,
    ]);
  };
  const askedForOthers = () => asked.filter((one) => /dt(=|%3D)2024-01-0[2-9]\/a/.test(one));

  it.each([
    ['parquet', 'column', {}],
    ['parquet', 'derivation', DERIVED],
    ['csv', 'column', {}],
  ] as const)('are asked for once, of %s with its time in a %s', async (kind, _, more) => {
    await put(kind, '01', '01 10:00:00');
    for (const day of ['02', '03', '04']) await put(kind, day, `${day} 10:00:00`);
    await make(kind, more);
    expect(askedForOthers().length).toBeGreaterThanOrEqual(3);
    asked = [];
    await make(kind, more);
    expect(askedForOthers()).toEqual([]);
    await put(kind, '03', '01 23:30:00');
    await expect(make(kind, more)).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringContaining('2024-01-01T23:30:00'),
    });
    expect(askedForOthers().every((one) => one.includes('2024-01-03'))).toBe(true);
  });

  it('are not read whole where they are more than half of what may be kept, and a warning says so', async () => {
    await put('csv', '01', '01 10:00:00');
    await put('csv', '02', '01 23:30:00');
    const { sources } = await make('csv', {}, 60);
    expect(sources[0]?.skippedFiles).toBe(1);
    expect(warnings).toContainEqual(expect.objectContaining({ source: 'events', files: 1 }));
    expect(askedForOthers()).toEqual([]);
  });
});
