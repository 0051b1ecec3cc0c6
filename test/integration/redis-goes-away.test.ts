// A Redis that stops, hangs or fills up: each call fails fast and clearly, and all is well once it is back.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import type { OnlineStore, StoreWriter } from '../../src/online/online-store.ts';
import { openOnlineStore } from '../../src/online/open-online-store.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { freePort } from '../support/free-port.ts';
import { baseOf, forEver, openRun, partOf, refOf, writeAll } from '../support/online-writes.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

/** Why a call failed; undefined where it did not. */
async function failureOf(work: () => unknown): Promise<{ readonly code?: unknown; readonly message?: string }> {
  try {
    await work();
    return {};
  } catch (error) {
    return error as { code: unknown; message: string };
  }
}

if (!hasRedis()) skipBecause('a Redis that goes away: there is no redis-server on this machine');

describe.skipIf(!hasRedis())('when Redis', () => {
  let server: RedisServer;
  let store: OnlineStore;
  let writer: StoreWriter;
  const connected: string[] = [];
  const logged: string[] = [];
  const listen = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const kept = refOf('kept');
  let n = 0;
  const write = (name: string, size = 10) =>
    writer.putParts([partOf(refOf(name), '', { n: ++n, fold: Buffer.alloc(size, 1) })]);
  const read = async (name: string) => (await store.read([refOf(name)]))[0]?.parts[0]?.fold.length;
  const isBack = () =>
    expect
      .poll(
        async () => [(await failureOf(() => store.read([kept]))).code, (await failureOf(() => write('back'))).code],
        { interval: 50, timeout: 10_000 },
      )
      .toEqual([undefined, undefined]);
  beforeAll(async () => {
    server = await startRedis({ isDurable: true });
    const logger = { ...silentLogger, info: listen, warn: listen };
    store = await openRedisStore(server.url, { project: 'test', logger });
    writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode: (node) => connected.push(node) });
    await write('kept');
  });
  afterAll(async () => {
    await writer.close();
    await store.close();
    await server.stop();
  });

  it('is killed, every call is unavailable, and works again when it is back', async () => {
    const run = await openRun(store, 1);
    await run.begin('redis');
    await run.write('redis', [baseOf(refOf('based'), 'b')]);
    await server.kill();
    const calls = {
      read: () => store.read([kept]),
      put: () => write('x'),
      claim: () => writer.claim([{ id: 'c', writer: 1, offset: 1, payloadHash: 'h' }]),
      claims: () => writer.claims(['c']),
      finish: () => writer.finish([{ id: 'c', writer: 1, offset: 1, payloadHash: 'h', result: 'r' }]),
      expire: () => writer.expire([{ id: 'c', writer: 1, offset: 1 }], 1000),
      marks: () => store.marks('v@1'),
      fence: () => store.fenceWriter(7, 2),
      run: () => openRun(store, 2),
      mark: () => run.mark('redis'),
      begin: () => run.begin('redis'),
      scan: async () => {
        for await (const _ of store.scan('thing', 'v@1'));
      },
    };
    for (const [name, call] of Object.entries(calls)) {
      const { code } = await failureOf(call);
      expect([name, code]).toEqual([name, 'HR_ONLINE_UNAVAILABLE']);
    }
    await server.start();
    await isBack();
    expect(await read('kept')).toBe(10);
    await writeAll(run, [baseOf(refOf('based'), 'b')]);
    expect(await store.marks('v@1')).toEqual([{ node: 'redis', run: 1 }]);
    await run.close();
  });

  it('was away, the log says once that it went and once that it is back', () => {
    expect(logged).toHaveLength(2);
    expect(logged[0]).toContain('does not answer');
    expect(logged[1]).toContain('is back');
  });

  it('was away, a writer hears of the new connection', () => {
    expect(connected).toEqual(['redis', 'redis']);
  });

  it('hangs, a call gives up within its time, and all is well when it goes on', async () => {
    process.kill(server.pid(), 'SIGSTOP');
    const [reading, writing] = await Promise.all([failureOf(() => store.read([kept])), failureOf(() => write('x'))]);
    const again = await failureOf(() => store.read([kept]));
    process.kill(server.pid(), 'SIGCONT');
    for (const { code } of [reading, writing, again]) expect(code).toBe('HR_ONLINE_UNAVAILABLE');
    expect(reading.message).toContain('1000 ms');
    await isBack();
  });

  it('forgot its scripts, a write and a claim teach it again', async () => {
    await server.command('SCRIPT FLUSH');
    await write('taught');
    expect(await read('taught')).toBe(10);
    await server.command('SCRIPT FLUSH');
    const claim = { id: 'taught', writer: 1, offset: 1, payloadHash: 'h' };
    expect(await writer.claim([claim])).toEqual([claim]);
    await server.command('SCRIPT FLUSH');
    await writer.finish([{ ...claim, result: 'r' }]);
    expect(await writer.claims(['taught'])).toEqual([{ ...claim, result: 'r' }]);
  });

  it('is full, writes say so, what was there stays, and a run gives no mark', async () => {
    const run = await openRun(store, 3, 'full@1');
    await run.begin('redis');
    await server.command('CONFIG SET maxmemory 1');
    const putting = await failureOf(() => write('big', 10_000));
    const running = await failureOf(async () => {
      await run.write('redis', [baseOf(refOf('big', 'full@1'), 'b')]);
      await run.mark('redis');
    });
    await server.command('CONFIG SET maxmemory 0');
    expect([putting.code, running.code]).toEqual(['HR_STORAGE_FULL', 'HR_STORAGE_FULL']);
    expect([await read('kept'), await read('big')]).toEqual([10, undefined]);
    expect((await failureOf(() => run.mark('redis'))).code).toBe('HR_STORAGE_FULL');
    expect(await store.marks('full@1')).toEqual([{ node: 'redis', run: undefined }]);
    await writeAll(run, [baseOf(refOf('big', 'full@1'), 'b')]);
    expect(await store.marks('full@1')).toEqual([{ node: 'redis', run: 3 }]);
    await run.close();
  });

  it('refuses one base of many, the run gives no mark and begins the node again', async () => {
    const run = await openRun(store, 1, 'refused@1');
    const names = Array.from({ length: 50 }, (_, index) => `refused${index}`);
    const hash = `hr:{test:thing:${Buffer.from(refOf('refused20').key).toString('base64url')}}`;
    await server.command(`SET ${hash} text`);
    const bases = names.map((name) => baseOf(refOf(name), 'b'));
    await run.begin('redis');
    await run.write('redis', bases);
    const { code, message } = await failureOf(() => run.mark('redis'));
    expect([code, message]).toEqual(['HR_ONLINE_UNAVAILABLE', expect.stringContaining('WRONGTYPE')]);
    expect(await store.marks('refused@1')).toEqual([{ node: 'redis', run: undefined }]);
    await server.command(`DEL ${hash}`);
    await writeAll(run, bases);
    expect(await store.marks('refused@1')).toEqual([{ node: 'redis', run: 1 }]);
    await run.close();
  });

  it('is not there from the start, opening works, calls fail, and no message shows the password', async () => {
    const port = await freePort();
    const options = { project: 'test', clock: systemClock };
    const early = await openOnlineStore(`redis://user:s3cret@127.0.0.1:${port}/1`, options);
    const heard: string[] = [];
    const waiting = await early.writer({
      writer: 2,
      holder: 1,
      lifetimeMs: forEver,
      onNode: (node) => heard.push(node),
    });
    const { code, message } = await failureOf(() => early.read([kept]));
    expect(code).toBe('HR_ONLINE_UNAVAILABLE');
    expect(message).toContain(`127.0.0.1:${port}`);
    expect(message).not.toContain('s3cret');
    expect(heard).toEqual([]);
    const late = await startRedis({ port });
    await late.command('ACL SETUSER user on >s3cret ~* +@all');
    await expect
      .poll(async () => (await failureOf(() => early.read([kept]))).code, { timeout: 10_000 })
      .toBeUndefined();
    await expect.poll(() => heard, { timeout: 10_000 }).toEqual(['redis']);
    await waiting.close();
    await early.close();
    await late.stop();
    const bad = await failureOf(() => openOnlineStore('redis://user:s3cret@host:port:1', options));
    expect(bad.code).toBe('HR_CONFIG');
    expect(bad.message).not.toContain('s3cret');
  });

  it('refuses the password, it is unavailable with its reason; one with colons is taken whole', async () => {
    const guarded = await startRedis({
      settings: ['--requirepass', 'ri:gh:t', '--user', 'me', 'on', '>a:b', '~*', '+@all'],
    });
    const open = (login: string) => openRedisStore(`redis://${login}@127.0.0.1:${guarded.port}`, { project: 'test' });
    const [wrong, right, named] = await Promise.all([open(':wrong'), open(':ri:gh:t'), open('me:a:b')]);
    const refused = await failureOf(() => wrong.read([kept]));
    expect(refused.code).toBe('HR_ONLINE_UNAVAILABLE');
    expect(refused.message).toContain('WRONGPASS');
    expect(await right.read([kept])).toEqual([undefined]);
    expect(await named.read([kept])).toEqual([undefined]);
    await Promise.all([wrong.close(), right.close(), named.close()]);
    await guarded.stop();
  });
});
