// Runs and writers that were overtaken: their connections are cut by name, and nothing they send late arrives.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { OnlineStore, StoreRun, StoreWriter } from '../../src/online/online-store.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { baseOf, forEver, openRun, partOf, refOf } from '../support/online-writes.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('fencing at Redis: there is no redis-server on this machine');

describe.skipIf(!hasRedis())('at Redis', () => {
  let server: RedisServer;
  let store: OnlineStore;
  beforeAll(async () => {
    server = await startRedis();
    store = await openRedisStore(server.url, { project: 'test' });
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });
  const names = async () =>
    [...(await server.command('CLIENT LIST')).matchAll(/ name=(\S+) /g)].map(([, name]) => name ?? '');

  it('a stopped process’ run is cut, and what it writes when it goes on does not arrive', async () => {
    const script = fileURLToPath(new URL('../support/write-bases-forever.ts', import.meta.url));
    const child = spawn(process.execPath, [script, server.url, '1', 'ghost'], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const said: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    const ended = once(child, 'exit');
    const base = async () => Buffer.from((await store.read([refOf('fought for')]))[0]?.base ?? []).toString();
    await expect.poll(base, { timeout: 10_000 }).toBe('ghost');
    child.kill('SIGSTOP');
    const later = await openRun(store, 2);
    expect((await names()).filter((name) => name.startsWith('hr:run:'))).toEqual([]);
    await later.begin('redis');
    await later.write('redis', [baseOf(refOf('fought for'), 'later')]);
    await later.mark('redis');
    child.kill('SIGCONT');
    await ended;
    // Its row is open as far as it knows: it hears that its connection is lost and would have to ask again.
    expect(said.join('').trim().split('\n')).toEqual(['begun', 'HR_ONLINE_UNAVAILABLE']);
    expect(await base()).toBe('later');
    expect(await store.marks('v@1')).toEqual([{ node: 'redis', run: 2 }]);
    await later.close();
  });

  it('connections are named by project, version and run, whatever is in the names', async () => {
    const strange = await openRedisStore(server.url, { project: 'a b:{c}' });
    const run = await openRun(strange, 7, 'sales é@1');
    await run.begin('redis');
    await run.write('redis', [baseOf(refOf('x'), 'b')]);
    await run.mark('redis');
    expect(await names()).toContain('hr:run:a%20b%3A%7Bc%7D:sales%20%C3%A9%401:7');
    await openRun(store, 8, 'sales é@1');
    await run.mark('redis');
    const later = await openRun(strange, 8, 'sales é@1', false);
    await expect(run.mark('redis')).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    expect(await strange.marks('sales é@1')).toEqual([{ node: 'redis', run: 7 }]);
    await Promise.all([run.close(), later.close()]);
    await strange.close();
  });

  it('a writer’s earlier holder is cut with all its connections, a later one and other writers are not', async () => {
    const connections: string[] = [];
    const open = (writer: number, holder: number) =>
      store.writer({ writer, holder, lifetimeMs: forEver, onNode: () => connections.push(`${writer}:${holder}`) });
    const writers = [await open(1, 1), await open(1, 2), await open(11, 1)];
    for (const [index, writer] of writers.entries()) {
      await writer.claim([{ id: `c${index}`, writer: index, offset: 1, payloadHash: 'h' }]);
    }
    const ids = async () => {
      const list = await server.command('CLIENT LIST');
      const found = [...list.matchAll(/id=(\d+) .* name=hr:writer:test:(\S+) /g)];
      return found.map(([, id, name]) => `${name}#${id}`).toSorted();
    };
    const before = await ids();
    expect(before.map((id) => id.split('#')[0])).toEqual(['11:1', '11:1', '1:1', '1:1', '1:2', '1:2'].toSorted());
    await store.fenceWriter(1, 2);
    const after = await ids();
    expect(after.filter((id) => !id.startsWith('1:1#'))).toEqual(before.filter((id) => !id.startsWith('1:1#')));
    expect(after.filter((id) => before.includes(id) && id.startsWith('1:1#'))).toEqual([]);
    await Promise.all(writers.map((writer) => writer.close()));
  });

  it('what an earlier holder had under way when it was cut is refused to it', async () => {
    const writer = await store.writer({ writer: 3, holder: 1, lifetimeMs: forEver, onNode() {} });
    await server.command('CLIENT PAUSE 300 WRITE');
    const late = writer.putParts([partOf(refOf('late'), 'ghost', { writer: 3 })]);
    late.catch(() => {});
    // The command must be at the server, where the pause holds it, before the cut.
    await expect
      .poll(async () => (await server.command('CLIENT LIST')).match(/name=hr:writer:test:3:1 .*flags=b/))
      .not.toBe(null);
    await store.fenceWriter(3, 2);
    await expect(late).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    await server.command('CLIENT UNPAUSE');
    expect(await store.read([refOf('late')])).toEqual([undefined]);
    await writer.close();
  });

  describe('beside another database by number of the same names, as staging and production may have them', () => {
    let [production, staging]: OnlineStore[] = [];
    let own: { readonly writer: StoreWriter; readonly run: StoreRun };
    beforeEach(async () => {
      [production, staging] = [
        await openRedisStore(`${server.url}/5`, { project: 'shop' }),
        await openRedisStore(`${server.url}/6`, { project: 'shop' }),
      ];
      const writer = await production.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
      await writer.putParts([partOf(refOf('k'), 'fold')]);
      own = { writer, run: await openRun(production, 5) };
      await own.run.begin('redis');
    });
    afterEach(async () => {
      for (const one of [own.run, own.writer, staging, production]) await one?.close();
    });
    /** The connections of the production's writer, by their ids. */
    const clients = async (): Promise<string[]> => {
      const list = await server.command('CLIENT LIST');
      return [...list.matchAll(/id=(\d+) .* name=hr:writer:shop:1:1 /g)].map(([, id = '']) => id).sort();
    };

    it('a run goes on, and a writer keeps its connection', async () => {
      await own.run.mark('redis');
      expect(await production?.marks('v@1')).toEqual([{ node: 'redis', run: 5 }]);
      expect(await clients()).toHaveLength(1);
    });

    it('a run goes on while a later one begins there', async () => {
      const other = await openRun(staging as OnlineStore, 900);
      await other.close();
      await expect(own.run.mark('redis')).resolves.toBeUndefined();
    });

    it('a writer keeps its connection while one of its number is fenced there', async () => {
      const before = await clients();
      await staging?.fenceWriter(1, 2);
      expect(await clients()).toEqual(before);
    });
  });
});
