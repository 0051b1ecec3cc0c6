// A Redis that stops, hangs or fills up: each call fails fast and clearly, and all is well once it is back.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EncodedKey, encodeKey, systemClock } from '../../src/core/index.ts';
import { openOnlineStore, type OnlineStore, type RecordRef } from '../../src/online/index.ts';
import { freePort } from '../support/free-port.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

const options = { project: 'test', clock: systemClock };
const ref = (name: string): RecordRef => ({
  entity: 'thing',
  view: 'v',
  key: encodeKey([{ kind: 'string' }], [name]) as EncodedKey,
});
const write = (store: OnlineStore, name: string, size = 10): Promise<number> =>
  store.update([ref(name)], () => ({ base: Buffer.alloc(size, 1), pushed: undefined, pushedLog: undefined }));

async function timed(work: () => unknown): Promise<{ code: unknown; message: string; ms: number }> {
  const from = performance.now();
  try {
    await work();
    return { code: undefined, message: '', ms: performance.now() - from };
  } catch (error) {
    const { code, message } = error as { code: unknown; message: string };
    return { code, message, ms: performance.now() - from };
  }
}

if (!hasRedis()) skipBecause('a Redis that goes away: there is no redis-server on this machine');

describe.skipIf(!hasRedis())('when Redis', () => {
  let server: RedisServer;
  let store: OnlineStore;
  beforeAll(async () => {
    server = await startRedis({ isDurable: true });
    store = await openOnlineStore(server.url, options);
    await write(store, 'kept');
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  it('is killed, reads and writes are unavailable at once, and work again when it is back', async () => {
    await server.kill();
    for (const work of [
      () => store.read([ref('kept')]),
      () => write(store, 'x'),
      () => store.getMeta('m'),
      () => store.setMeta('m', '1'),
    ]) {
      const { code, ms } = await timed(work);
      expect(code).toBe('HR_ONLINE_UNAVAILABLE');
      expect(ms).toBeLessThan(1500);
    }
    await server.start();
    await expect
      .poll(async () => (await timed(() => write(store, 'y'))).code, { interval: 50, timeout: 10_000 })
      .toBeUndefined();
    const [kept] = await store.read([ref('kept')]);
    expect(kept?.base?.length).toBe(10);
  });

  it('is killed under many writes, what was acknowledged is there afterwards', async () => {
    const acknowledged: number[] = [];
    const writing = Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const { code } = await timed(() => write(store, `many${index}`));
        if (code === undefined) acknowledged.push(index);
      }),
    );
    await server.kill();
    await writing;
    await server.start();
    await expect
      .poll(async () => (await timed(() => store.read([ref('kept')]))).code, { interval: 50, timeout: 10_000 })
      .toBeUndefined();
    const records = await store.read(acknowledged.map((index) => ref(`many${index}`)));
    expect(records.every((record) => record?.base?.length === 10)).toBe(true);
  });

  it('hangs, a call gives up within its time', async () => {
    process.kill(server.pid(), 'SIGSTOP');
    const { code, ms } = await timed(() => store.read([ref('kept')]));
    process.kill(server.pid(), 'SIGCONT');
    expect(code).toBe('HR_ONLINE_UNAVAILABLE');
    expect(ms).toBeLessThan(2500);
    await expect
      .poll(async () => (await timed(() => store.read([ref('kept')]))).code, { interval: 50, timeout: 10_000 })
      .toBeUndefined();
  });

  it('forgot its scripts, a write teaches it again', async () => {
    await server.command('SCRIPT FLUSH');
    expect(await write(store, 'taught')).toBe(1);
  });

  it('is full, a write says so and what was there stays', async () => {
    await server.command('CONFIG SET maxmemory 1');
    const { code } = await timed(() => write(store, 'big', 10_000));
    await server.command('CONFIG SET maxmemory 0');
    expect(code).toBe('HR_STORAGE_FULL');
    expect((await store.read([ref('kept'), ref('big')])).map((record) => record?.base?.length)).toEqual([
      10,
      undefined,
    ]);
  });

  it('is not there from the start, opening works, calls fail, and no message shows the password', async () => {
    const port = await freePort();
    const early = await openOnlineStore(`redis://user:s3cret@127.0.0.1:${port}/1`, options);
    const { code, message } = await timed(() => early.read([ref('kept')]));
    await early.close();
    expect(code).toBe('HR_ONLINE_UNAVAILABLE');
    expect(message).toContain(`127.0.0.1:${port}`);
    expect(message).not.toContain('s3cret');
    const bad = await timed(() => openOnlineStore('redis://user:s3cret@host:port:1', options));
    expect(bad.code).toBe('HR_CONFIG');
    expect(bad.message).not.toContain('s3cret');
  });

  it('refuses the password, it is unavailable with its reason', async () => {
    const locked = await startRedis({ settings: ['--requirepass', 'right'] });
    const wrong = await openOnlineStore(`redis://:wrong@127.0.0.1:${locked.port}`, options);
    const right = await openOnlineStore(`redis://:right@127.0.0.1:${locked.port}`, options);
    expect((await timed(() => wrong.read([ref('kept')]))).code).toBe('HR_ONLINE_UNAVAILABLE');
    expect(await right.read([ref('kept')])).toEqual([undefined]);
    await Promise.all([wrong.close(), right.close()]);
    await locked.stop();
  });
});
