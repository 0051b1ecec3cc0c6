// Copies of objects on this machine, for a DuckDB that can't read S3 by itself: how many are kept, and that using one again
// disturbs nobody who reads it.

import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { pinPath } from '../../src/offline/sources/pin-path.ts';
import type { S3Options } from '../../src/storage/index.ts';
import { type Fault, type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { openOfflineWorld, type OfflineWorld } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';
import type { S3Server } from '../support/s3-server.ts';
import { sharedS3 } from '../support/shared-servers.ts';

const shared = sharedS3('copies of objects');

describe.skipIf(shared === undefined)('copies of objects', () => {
  let server: Omit<S3Server, 'stop'>;
  let world: OfflineWorld;
  let bucket: string;
  beforeAll(async () => {
    server = (await shared) as typeof server;
  });
  beforeEach(async () => {
    world = await openOfflineWorld();
    bucket = await server.newBucket();
    return () => world.close();
  });

  const put = (key: string, bytes: number) => server.put(bucket, key, Buffer.alloc(bytes, key));
  const pin = (key: string, cacheBytes: number, more: S3Options = {}) => {
    const remote = { s3: { ...server.access, ...more }, cacheBytes };
    const path = `s3://${bucket}/${key}`;
    return pinPath({ path, directory: '/', format: 'parquet', owner: 'it' }, { ...world.deps, remote });
  };
  const kept = () => readdirSync(world.path('objects')).map((name) => name.replace(/^[0-9a-f]+-/, ''));

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
    onTestFinished(() => proxy.stop());
    proxy.fault = (method) => {
      if (method === 'GET') before = kept();
      return undefined;
    };
    await (await pin('c', 2500, { endpoint: proxy.endpoint })).close();
    expect(before.filter((name) => !name.includes('unfinished'))).toHaveLength(1);
  });

  it('are refused where there can be no room', async () => {
    await put('a', 1000);
    await put('b', 2000);
    await refused(pin('*', 2500), 'HR_TOO_LARGE', /it: its 2 objects have 3000 bytes.*2500.*offline\.cache.*httpfs/s);
  });

  describe('through a network that fails', () => {
    let proxy: FaultyProxy;
    beforeAll(async () => {
      proxy = await startFaultyProxy(server.endpoint);
    });
    afterAll(() => proxy.stop());
    const FAULTS: readonly (readonly [string, Fault])[] = [
      ['refuses', { kind: 'status', status: 503 }],
      ['ends half-way', { kind: 'cut', afterBytes: 100 }],
      ['says nothing more half-way', { kind: 'silence', afterBytes: 100 }],
    ];
    /** Does that so often to answers with the object's bytes. */
    const meddle = (fault: Fault, times: number): void => {
      proxy.requests = 0;
      proxy.fault = (method, path) => (method === 'GET' && path.includes('/a') && times-- > 0 ? fault : undefined);
    };
    const fetched = () => pin('a', 10_000, { endpoint: proxy.endpoint, silenceMs: 200 });

    it.each(FAULTS)('are fetched whole where it %s once', async (_, fault) => {
      await put('a', 1000);
      meddle(fault, 1);
      const pinned = await fetched();
      expect(pinned.files).toMatchObject([{ size: 1000 }]);
      expect(kept()).toEqual(['a']);
      await pinned.close();
    });

    it.each(FAULTS)('are given up after a few tries where it always %s, and nothing is kept', async (_, fault) => {
      await put('a', 1000);
      meddle(fault, Infinity);
      await refused(fetched(), 'HR_STORAGE_UNAVAILABLE');
      expect(proxy.requests).toBeLessThan(20);
      expect(kept()).toEqual([]);
    });
  });
});
