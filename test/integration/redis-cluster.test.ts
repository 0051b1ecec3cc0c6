// A real cluster of three nodes: an entity's record lies whole on one of them, reads and scans span all.

import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type EncodedKey, encodeKey, systemClock } from '../../src/core/index.ts';
import { type OnlineStore, openOnlineStore, type RecordRef } from '../../src/online/index.ts';
import { freePort } from '../support/free-port.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

const canCluster = hasRedis() && spawnSync('redis-cli', ['--version']).status === 0;
if (!canCluster)
  skipBecause('the online store on Redis Cluster: there is no redis-server or redis-cli on this machine');

describe.skipIf(!canCluster)('on a Redis Cluster', () => {
  let nodes: RedisServer[] = [];
  let store: OnlineStore;
  const ref = (index: number, view = 'v'): RecordRef => ({
    entity: 'thing',
    view,
    key: encodeKey([{ kind: 'int32' }], [index]) as EncodedKey,
  });
  const refs = Array.from({ length: 300 }, (_, index) => ref(index));

  beforeAll(async () => {
    nodes = await Promise.all(
      [1, 2, 3].map(async () => {
        const bus = ['--cluster-port', String(await freePort())];
        return startRedis({ settings: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000', ...bus] });
      }),
    );
    const addresses = nodes.map((node) => `127.0.0.1:${node.port}`);
    const made = spawnSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`redis-cli: ${made.stdout}${made.stderr}`);
    await vi.waitUntil(
      async () => {
        const infos = await Promise.all(nodes.map((node) => node.command('CLUSTER INFO')));
        return infos.every((info) => info.includes('cluster_state:ok'));
      },
      { interval: 50, timeout: 10_000 },
    );
    store = await openOnlineStore(`redis+cluster://${addresses.join(',')}`, { project: 'test', clock: systemClock });
  });
  afterAll(async () => {
    await store?.close();
    await Promise.all(nodes.map((node) => node.stop()));
  });

  it('writes, reads and scans records that lie on all nodes', async () => {
    const written = await store.update(refs, (_, index) => ({
      base: Buffer.from(String(index)),
      pushed: undefined,
      pushedLog: Buffer.from('l'),
    }));
    expect(written).toBe(300);
    const records = await store.read(refs);
    expect(records.map((record) => Buffer.from(record?.base ?? []).toString())).toEqual(
      refs.map((_, index) => String(index)),
    );
    let scanned = 0;
    for await (const { record } of store.scan('thing', 'v')) scanned += record.pushedLog === undefined ? 0 : 1;
    expect(scanned).toBe(300);
    const sizes = await Promise.all(nodes.map(async (node) => Number((await node.command('DBSIZE')).slice(1))));
    expect(Math.min(...sizes)).toBeGreaterThan(30);
  });

  it('keeps all views of a key on one node, and meta anywhere', async () => {
    await store.update([ref(1), ref(1, 'w'), ref(1, 'x')], () => ({
      base: Buffer.from('b'),
      pushed: undefined,
      pushedLog: undefined,
    }));
    const sizes = await Promise.all(nodes.map(async (node) => Number((await node.command('DBSIZE')).slice(1))));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(300);
    await store.setMeta('m', '1');
    expect(await store.getMeta('m')).toBe('1');
  });

  it('fails clearly when a node is gone', async () => {
    await nodes[0]?.kill();
    const from = performance.now();
    await expect(store.read(refs)).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    expect(performance.now() - from).toBeLessThan(5000);
    await nodes[0]?.start();
    await expect
      .poll(
        () =>
          Promise.resolve(store.read(refs)).then(
            (records) => records.length,
            () => 0,
          ),
        { interval: 100, timeout: 20_000 },
      )
      .toBe(300);
  });
});
