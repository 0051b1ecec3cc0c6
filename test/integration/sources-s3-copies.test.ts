// Copies of objects on this machine, for a DuckDB that can't read S3 by itself: how many are kept, and that using one again
// disturbs nobody who reads it.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pinPath } from '../../src/offline/sources/pin-path.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import { openOfflineWorld, type OfflineWorld } from '../support/offline-world.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';

const program = findS3Server('copies of objects');

describe.skipIf(program === undefined)('copies of objects', () => {
  let server: S3Server;
  let client: S3Client;
  let world: OfflineWorld;
  let bucket: string;
  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    const { endpoint, accessKeyId, secretAccessKey } = server;
    const credentials = { accessKeyId, secretAccessKey };
    client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  }, 120_000);
  afterAll(async () => {
    client?.destroy();
    await server?.stop();
  });
  beforeEach(async () => {
    world = await openOfflineWorld();
    bucket = await server.newBucket();
    return () => world.close();
  });

  const put = (key: string, bytes: number) =>
    client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.alloc(bytes, key) }));
  const pin = (key: string, cacheBytes: number, endpoint = server.endpoint) => {
    const { accessKeyId, secretAccessKey } = server;
    const remote = { s3: { endpoint, accessKeyId, secretAccessKey }, cacheBytes };
    const path = `s3://${bucket}/${key}`;
    return pinPath({ path, directory: '/', format: 'parquet', owner: 'it' }, { ...world.deps, remote });
  };
  const kept = () => readdirSync(join(world.directory, 'objects')).map((name) => name.replace(/^[0-9a-f]+-/, ''));

  it('may be pinned again while they are read', async () => {
    await put('a', 1000);
    const first = await pin('a', 10_000);
    const second = await pin('a', 10_000);
    await first.verify();
    await second.verify();
    expect(second.files).toEqual(first.files);
    expect(kept()).toEqual(['a']);
    await first.close();
    await second.close();
  });

  it('go when there are too many, the longest unused first, and stay with who has them open', async () => {
    for (const key of ['a', 'b', 'c']) await put(key, 1000);
    const first = await pin('a', 2500);
    await (await pin('b', 2500)).close();
    await (await pin('a', 2500)).close();
    await (await pin('c', 2500)).close();
    expect(kept()).toHaveLength(2);
    expect(kept()).toContain('c');
    await first.verify();
    await first.close();
  });

  it('make room before others come, so that there are never too many', async () => {
    for (const key of ['a', 'b', 'c']) await put(key, 1000);
    for (const key of ['a', 'b']) await (await pin(key, 2500)).close();
    const proxy = await startFaultyProxy(server.endpoint);
    let before: readonly string[] = [];
    proxy.fault = (method) => {
      if (method === 'GET') before = kept();
      return undefined;
    };
    try {
      await (await pin('c', 2500, proxy.endpoint)).close();
      expect(before.filter((name) => !name.includes('unfinished'))).toHaveLength(1);
    } finally {
      await proxy.stop();
    }
  });

  it('are refused where there can be no room', async () => {
    await put('a', 1000);
    await put('b', 2000);
    await expect(pin('*', 2500)).rejects.toMatchObject({
      code: 'HR_TOO_LARGE',
      message: expect.stringMatching(/it: its 2 objects have 3000 bytes.*2500.*offline\.cache.*httpfs/s),
    });
  });
});
