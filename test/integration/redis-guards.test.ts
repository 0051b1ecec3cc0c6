// What a Redis says of how it keeps what it is given, and whose store it is: at each node, and on each new connection.

import { describe, expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import type { NodeGuard } from '../../src/online/index.ts';
import { reportGuards } from '../../src/online/guards.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { lmdb } from '../support/online-stores.ts';
import { forEver, partOf, refOf } from '../support/online-writes.ts';
import { hasRedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { hasRedis, type RedisServerOptions, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { fullIt } from '../support/tier.ts';

if (!hasRedis()) skipBecause('guards of a Redis: there is no redis-server on this machine');

const started = async (options: RedisServerOptions = {}) => {
  const server = await startRedis(options);
  onTestFinished(() => server.stop());
  return server;
};

/** A store with the lines of its log. */
async function opened(url: string, more: { readonly replicas?: number } = {}) {
  const logged: string[] = [];
  const keep = (level: string) => (fields: object, message: string) =>
    void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const logger = { ...silentLogger, warn: keep('warn'), error: keep('error'), info: keep('info') };
  const store = await openRedisStore(url, { project: 'test', logger, ...more });
  onTestFinished(() => store.close());
  return { store, logged, logger };
}

/** By guard, the state and what is said. */
const shown = (guards: readonly NodeGuard[]) =>
  Object.fromEntries(
    guards.map(({ guard, state, says, fix }) => [guard, `${state}: ${says}${fix ? ` → ${fix}` : ''}`]),
  );
const APPENDS = ['--appendonly', 'yes'];

describe.skipIf(!hasRedis())('a Redis', () => {
  it('that evicts, and keeps keyed pushes neither on disk nor at a replica, lacks both: what came, what was expected, what to do', async () => {
    const server = await started({ settings: ['--maxmemory-policy', 'volatile-lru'] });
    const { store, logged, logger } = await opened(server.url);
    const guards = await store.guards();
    expect(guards.map(({ node, place }) => [node, place])).toEqual([
      ['redis', `127.0.0.1:${server.port}`],
      ['redis', `127.0.0.1:${server.port}`],
    ]);
    expect(shown(guards)).toEqual({
      eviction: expect.stringMatching(
        /^lacking: maxmemory_policy is "volatile-lru", expected "noeviction".* → set maxmemory-policy noeviction/,
      ),
      durability: expect.stringMatching(
        /^lacking: .*aof_enabled is 0.*connected_slaves is 0.*expected.* → set appendonly yes/,
      ),
    });
    reportGuards(guards, logger);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatch(
      /^warn .*volatile-lru.*set maxmemory-policy noeviction.*aof_enabled is 0.*set appendonly yes/,
    );
  });

  it('that evicts nothing and appends to a file lacks nothing, and nothing is logged', async () => {
    const { store, logged, logger } = await opened((await started({ settings: APPENDS })).url);
    const guards = await store.guards();
    expect(guards.map(({ state }) => state)).toEqual(['kept', 'kept']);
    reportGuards(guards, logger);
    expect(logged).toEqual([]);
  });

  it('with a replica keeps keyed pushes; the replica says nothing of that', async () => {
    const server = await started({ settings: ['--repl-diskless-sync-delay', '0'] });
    const replica = await started({ settings: ['--replicaof', '127.0.0.1', String(server.port)] });
    await expect.poll(() => server.command('INFO replication'), { timeout: 20_000 }).toContain('state=online');
    const { store } = await opened(server.url);
    expect(shown(await store.guards())['durability']).toBe('kept: it has 1 replica');
    expect(shown(await (await opened(replica.url)).store.guards())['durability']).toMatch(/^unknown: .*is a replica/);
  });

  it('of which so many replicas are promised refuses what they lack, so it keeps keyed pushes', async () => {
    const { store } = await opened((await started()).url, { replicas: 1 });
    expect(shown(await store.guards())['durability']).toBe('kept: 1 replica is promised, and 0 are connected');
  });

  it('that refuses INFO can’t be judged, which is said once with the reason', async () => {
    const server = await started({ settings: ['--maxmemory-policy', 'volatile-lru'] });
    await server.command('ACL SETUSER app on >secret ~* &* +@all -info');
    const { store, logged, logger } = await opened(server.url.replace('redis://', 'redis://app:secret@'));
    const guards = await store.guards();
    const notChecked = expect.stringMatching(/^unknown: not checked: .*NOPERM.* → allow INFO/);
    expect(shown(guards)).toEqual({ eviction: notChecked, durability: notChecked });
    reportGuards(guards, logger);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatch(/^warn .*could not be checked.*NOPERM/);
  });

  // twin: test/integration/redis-guards.test.ts > that evicts, and keeps keyed pushes neither on disk nor at a replica, lacks both: what came, what was expected, what to do
  fullIt('of a cluster is judged node by node, by name', async () => {
    if (!hasRedisCluster()) return;
    const cluster = await startRedisCluster({ settings: APPENDS });
    onTestFinished(() => cluster.stop());
    await cluster.nodes[1]?.command('CONFIG SET maxmemory-policy allkeys-lru');
    await cluster.nodes[2]?.command('CONFIG SET appendonly no');
    const { store } = await opened(cluster.url);
    const lacking = (await store.guards()).filter(({ state }) => state === 'lacking');
    expect(lacking.map(({ guard, node, place }) => [guard, node, place])).toEqual([
      ['eviction', 'slots 5461', `127.0.0.1:${cluster.nodes[1]?.port}`],
      ['durability', 'slots 10923', `127.0.0.1:${cluster.nodes[2]?.port}`],
    ]);
  });
});

describe.skipIf(!hasRedis())('a Redis that was away when its server started', () => {
  const record = refOf('k');
  /** A store that is read for registry "own", opened while its server is down; the server has what `fill` does. */
  const away = async (options: RedisServerOptions, registry: string) => {
    const server = await started({ isDurable: true, ...options });
    const { store: filling } = await opened(server.url);
    const owner = { registry, token: 't' };
    const writer = await filling.writer({ writer: 1, holder: 1, owner, lifetimeMs: forEver, onNode() {} });
    await writer.putParts([partOf(record, 'f')]);
    await writer.close();
    await server.kill();
    const given = await opened(server.url);
    await given.store.expectRegistry('own');
    return { server, ...given, read: async () => (await given.store.read([record]))[0]?.parts.length };
  };
  const untilRead = (read: () => Promise<unknown>) =>
    expect.poll(() => read().catch(({ code }) => code), { interval: 5, timeout: 10_000 });

  it('answers no read where another registry filled it, not even the first, until this one takes it over', async () => {
    const { server, store, read, logged } = await away({}, 'other');
    const seen = new Set<unknown>();
    await expect(read()).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    await server.start();
    await untilRead(async () => {
      const answer = await read().catch((error: { readonly code: string }) => error.code);
      seen.add(answer);
      return answer;
    }).toBe('HR_OTHER_REGISTRY');
    for (let i = 0; i < 5; i++) await expect(read()).rejects.toMatchObject({ code: 'HR_OTHER_REGISTRY' });
    // It may have answered before it was asked again.
    seen.delete('HR_ONLINE_UNAVAILABLE');
    expect(seen).toEqual(new Set(['HR_OTHER_REGISTRY']));
    const refused = logged.filter((line) => line.startsWith('error'));
    expect(refused).toEqual([
      expect.stringMatching(/filled by registry "other", and this registry is "own".*reads.*refused/),
    ]);
    await store.adopt('own');
    expect(await read()).toBe(1);
  });

  it('is judged by its guards once it answers, and again only when something else is lacking', async () => {
    const { server, read, logged } = await away({ settings: ['--maxmemory-policy', 'allkeys-lru'] }, 'own');
    const warned = () => logged.filter((line) => line.includes('the online store'));
    expect(warned()).toEqual([]);
    await server.start();
    await untilRead(read).toBe(1);
    const evicts = expect.stringMatching(/^warn .*allkeys-lru/);
    await expect.poll(warned).toEqual([evicts]);
    await server.kill();
    await untilRead(read).toBe('HR_ONLINE_UNAVAILABLE');
    await server.start();
    await untilRead(read).toBe(1);
    expect(warned()).toEqual([evicts]);
  });
});

it('LMDB has no guards', async () => {
  const place = await lmdb.prepare();
  const store = await place.open();
  expect(await store.guards()).toEqual([]);
  await store.close();
  await place.remove();
});
