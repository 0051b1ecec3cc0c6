// Redis with a replica: a claim counts once the replica has it, and a run waits for a node that is slower than it.

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Durable, OnlineStore, StoreWriter } from '../../src/online/online-store.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { baseOf, forEver, openRun, partOf, refOf } from '../support/online-writes.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('Redis with a replica: there is no redis-server on this machine');

const claimOf = (id: string, offset: number) => ({ id, writer: 1, offset, payloadHash: 'h' });

describe.skipIf(!hasRedis())('with a replica', () => {
  let server: RedisServer;
  let replica: RedisServer;
  let store: OnlineStore;
  let writer: StoreWriter;
  // A replica that was just copied to is told nothing more until its first word, which may take a second.
  const isInStep = async () => {
    await server.command('SET probe 1');
    await vi.waitUntil(async () => {
      const info = await server.command('INFO replication');
      const acknowledged = /slave0:.*,offset=([1-9]\d*)/.exec(info)?.[1];
      return acknowledged !== undefined && acknowledged === /master_repl_offset:(\d+)/.exec(info)?.[1];
    }, 30_000);
  };
  const waits = async () => Number(/cmdstat_wait:calls=(\d+)/.exec(await server.command('INFO commandstats'))?.[1]);
  const place = async (id: string) => (await replica.command(`HGET hr:claim:{test:${id}} place`)).split('\r\n')[1];
  beforeAll(async () => {
    server = await startRedis({ settings: ['--repl-diskless-sync-delay', '0'] });
    replica = await startRedis({ settings: ['--replicaof', '127.0.0.1', String(server.port)] });
    await isInStep();
    store = await openRedisStore(server.url, { project: 'test' });
    writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
  }, 60_000);
  afterAll(async () => {
    await writer?.close();
    await store?.close();
    await Promise.all([server?.stop(), replica?.stop()]);
  });

  it('a claim is on the replica when it is given', async () => {
    for (let i = 0; i < 30; i++) {
      await writer.claim([claimOf(`c${i}`, i)]);
      expect(await place(`c${i}`)).toBe(`1.${i}`);
    }
  });

  it('many claims at once share few waits', async () => {
    const before = await waits();
    await Promise.all(Array.from({ length: 200 }, (_, index) => writer.claim([claimOf(`many${index}`, index)])));
    expect((await waits()) - before).toBeLessThan(10);
    for (const index of [0, 99, 199]) expect(await place(`many${index}`)).toBe(`1.${index}`);
  });

  it('that does not keep up, no claim is given, nor one that is repeated or looked at, until it does', async () => {
    process.kill(replica.pid(), 'SIGSTOP');
    const unavailable = { code: 'HR_ONLINE_UNAVAILABLE', message: expect.stringContaining('0 of its 1 replicas') };
    await expect(writer.claim([claimOf('slow', 1)])).rejects.toMatchObject(unavailable);
    // It lies at the master, but may be lost there.
    const other = await store.writer({ writer: 1, holder: 2, lifetimeMs: forEver, onNode() {} });
    await expect(other.claim([claimOf('slow', 1)])).rejects.toMatchObject(unavailable);
    await expect(other.claims(['slow'])).rejects.toMatchObject(unavailable);
    process.kill(replica.pid(), 'SIGCONT');
    await expect.poll(() => other.claims(['slow']).catch(() => []), { timeout: 10_000 }).toEqual([claimOf('slow', 1)]);
    expect(await place('slow')).toBe('1.1');
    await other.close();
  });

  it('that is gone, no claim is given until it is back, unless none is promised', async () => {
    await replica.kill();
    await expect.poll(() => server.command('INFO replication')).toContain('connected_slaves:0');
    await expect(writer.claim([claimOf('alone', 1)])).rejects.toThrow('only 0 of its 1 replicas have what was written');
    await writer.release([claimOf('alone', 1)]);
    const careless = await openRedisStore(server.url, { project: 'test', replicas: 0 });
    const theirs = await careless.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
    const durable: Durable[] = [];
    const claim = { ...claimOf('alone', 2), writer: 2 };
    expect(await theirs.claim([claim], (_, one) => durable.push(one))).toEqual([claim]);
    expect(durable).toEqual([{ disk: false, replicas: 0 }]);
    await theirs.close();
    await careless.close();
    await replica.start();
    await isInStep();
    await writer.claim([claimOf('together', 1)], (_, one) => durable.push(one));
    expect(durable.at(-1)).toEqual({ disk: false, replicas: 1 });
    expect(await place('alone')).toBe('2.2');
    expect(await place('together')).toBe('1.1');
  });

  it('that is given as the store refuses writes, and takes them once it is master', async () => {
    const second = await startRedis({ settings: ['--replicaof', '127.0.0.1', String(server.port)] });
    const other = await openRedisStore(second.url, { project: 'other' });
    const theirs = await other.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
    const put = async () => theirs.putParts([partOf(refOf('x'), 'f')]);
    await expect(put()).rejects.toMatchObject({
      code: 'HR_ONLINE_UNAVAILABLE',
      message: expect.stringContaining('READONLY'),
    });
    await second.command('REPLICAOF NO ONE');
    await expect.poll(() => put().then(() => 'done', String), { timeout: 5000 }).toBe('done');
    await theirs.close();
    await other.close();
    await second.stop();
  });

  it('a run stops giving when megabytes are on their way, and goes on when the node does', async () => {
    const run = await openRun(store, 1, 'slow@1');
    await run.begin('redis');
    const megabyte = Array.from({ length: 16 }, (_, index) =>
      baseOf(refOf(`slow${index}`), Buffer.alloc(65_536, index)),
    );
    process.kill(server.pid(), 'SIGSTOP');
    let written = 0;
    const writing = (async () => {
      for (; written < 40; written++) await run.write('redis', megabyte);
      await run.mark('redis');
    })();
    const settled = async () => {
      const before = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return before === written && written > 0;
    };
    await expect.poll(settled).toBe(true);
    expect(written).toBeLessThan(8);
    process.kill(server.pid(), 'SIGCONT');
    await writing;
    expect(await store.marks('slow@1')).toEqual([{ node: 'redis', run: 1 }]);
    const [record] = await store.read([refOf('slow7', 'slow@1')]);
    expect(record?.base?.length).toBe(65_536);
    await run.close();
  });

  it('hashes get an expiry, a shorter or longer one, and lose it when their entity lives for ever', async () => {
    const lives = async (lifetimeMs: number | undefined, number: number) => {
      const link = {
        version: 'life@1',
        run: number,
        entity: 'thing',
        lifetimeMs: () => lifetimeMs,
        isOpen: async () => true,
      };
      const run = await store.run(link);
      await run.begin('redis');
      await run.write('redis', [baseOf(refOf('life', 'life@1', 'mortal'), 'b')]);
      await run.mark('redis');
      await run.close();
      const [, key = ''] = /(hr:\{test:mortal:[^\r]*)/.exec(await server.command('KEYS hr:{test:mortal:*')) ?? [];
      return Number((await server.command(`PTTL ${key}`)).slice(1));
    };
    expect(await lives(undefined, 1)).toBe(-1);
    expect(await lives(50_000, 2)).toBeGreaterThan(40_000);
    expect(await lives(500_000, 3)).toBeGreaterThan(400_000);
    expect(await lives(undefined, 4)).toBe(-1);
  });
});
