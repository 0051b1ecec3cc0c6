// A Redis Cluster with a master that is gone and has no replica: pushes to the other masters' keys are answered as if
// nothing were, and those of the gone one wait for it.
// twin: test/integration/ingestion-away.test.ts > a node of several that is away holds up only what lies on it
// twin: test/unit/ingestion-part-writer.test.ts > parts that wait for a node

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE, sha256Hex } from '../../src/core/index.ts';
import { slotOfKey } from '../../src/online/redis/cluster/slots.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, keyOf, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { hasRedisCluster, type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

const canCluster = hasRedisCluster();
if (!canCluster) skipBecause('pushes beside a dead node: there is no redis-server or redis-cli on this machine');

const definitions = eventDefinitions();
const { manifest } = definitions;
const event = (k: string, x = 1, minutesAgo = 1) => ({
  k,
  happened: formatTimestamp(NOW - minutesAgo * MICROS_PER_MINUTE),
  x,
});
/** How long a push waits for its answer here: one that waits for the dead node is refused. */
const PATIENCE_MS = 4000;

const NODES = ['slots 0', 'slots 5461', 'slots 10923'] as const;
type Node = (typeof NODES)[number];
const nodeOfSlot = (slot: number): Node => (slot < 5461 ? NODES[0] : slot < 10923 ? NODES[1] : NODES[2]);
const nodeOfRecord = (k: string) => nodeOfSlot(slotOfKey(`hr:{test:e:${Buffer.from(keyOf(k)).toString('base64url')}}`));
const nodeOfClaim = (key: string) =>
  nodeOfSlot(slotOfKey(`hr:claim:{test:${sha256Hex(JSON.stringify(['events', key]))}}`));
/** Names by the node that they lie on. */
const namesAt = (nodeOf: (name: string) => Node, node: Node, count: number): string[] => {
  const names: string[] = [];
  for (let i = 0; names.length < count; i++) if (nodeOf(`name ${i}`) === node) names.push(`name ${i}`);
  return names;
};
const recordsAt = (node: Node, count = 5) => namesAt(nodeOfRecord, node, count);
const claimsAt = (node: Node, count = 5) => namesAt(nodeOfClaim, node, count);

describe.skipIf(!canCluster)('while one node of a cluster is gone', () => {
  let cluster: RedisCluster;
  let world: IngestionWorld;
  let server: PushProcess;
  const stopped = new Set<RedisServer>();
  const [gone, ...others] = NODES;

  beforeEach(async () => {
    // Otherwise Redis itself lets the living nodes refuse everything as soon as it has noticed.
    const settings = ['--cluster-require-full-coverage', 'no'];
    cluster = await startRedisCluster({ nodeTimeoutMs: 2000, settings });
    world = await openIngestionWorld({
      prepare: async () => ({
        url: cluster.url,
        open: () => openRedisStore(cluster.url, { project: 'test' }),
        remove: () => cluster.stop(),
      }),
    });
    server = await world.open({ definitions: () => definitions, limits: { timeoutMs: PATIENCE_MS } });
    for (const node of NODES) for (const k of recordsAt(node)) await push(k, `first of ${k}`);
  }, 60_000);
  afterEach(async () => {
    goOn();
    await world?.close();
  });

  const push = (k: string, key?: string, by = server) => by.ingestion.push('events', [event(k)], key);
  const masterOf = (node: Node) => cluster.masterOf(Number(node.slice('slots '.length)));
  const stopServer = (master: RedisServer): void => {
    process.kill(master.pid(), 'SIGSTOP');
    stopped.add(master);
  };
  const stop = async (node: Node): Promise<void> => stopServer(await masterOf(node));
  const goOn = (servers: Iterable<RedisServer> = stopped): void => {
    for (const one of servers) {
      process.kill(one.pid(), 'SIGCONT');
      stopped.delete(one);
    }
  };
  const pushToEach = (nodes: readonly Node[], by = server): Promise<unknown>[] =>
    nodes.flatMap((node) => recordsAt(node).map((k) => push(k, undefined, by)));
  const rowsOf = async (k: string): Promise<unknown> => {
    const { rows } = await world.valuesOf(manifest, k).catch(() => ({ rows: undefined }));
    return rows;
  };

  it('pushes to keys of the others are answered, and its own once it is back', async () => {
    await stop(gone);
    const waiting = recordsAt(gone).map((k) => push(k).catch((error: unknown) => error));
    for (let round = 0; round < 3; round++) {
      for (const node of others) await Promise.all(pushToEach([node]));
    }
    for (const answer of await Promise.all(waiting)) expect(answer).toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    // The cluster knows by now too.
    for (const node of others) await Promise.all(pushToEach([node]));
    for (const node of others) for (const k of recordsAt(node)) expect(await rowsOf(k)).toBe(5n);
    expect(server.ingestion.status().writer).toMatchObject({ pending: 5, storeFailure: expect.any(String) });
    goOn();
    for (const k of recordsAt(gone)) await expect.poll(() => rowsOf(k), { timeout: 15_000 }).toBe(2n);
    for (const node of others) for (const k of recordsAt(node)) expect(await rowsOf(k)).toBe(5n);
    await expect.poll(() => server.ingestion.status().writer).toMatchObject({ pending: 0, storeFailure: null });
  }, 60_000);

  it('pushes with keys whose claims lie on the others are answered, and its own count once', async () => {
    const [k = ''] = recordsAt(others[0]);
    await stop(gone);
    const early = claimsAt(gone).map((key) => push(k, key).catch((error: unknown) => error));
    for (let round = 0; round < 3; round++) {
      const living = others.flatMap((node) => claimsAt(node).map((key) => push(k, key)));
      await Promise.all(living);
      for (const one of living) expect(await one).toMatchObject({ duplicate: round > 0 });
    }
    for (const answer of await Promise.all(early)) expect(answer).toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    goOn();
    await expect.poll(() => server.ingestion.status().writer?.pending, { timeout: 15_000 }).toBe(0);
    for (const key of claimsAt(gone)) expect(await push(k, key)).toMatchObject({ accepted: 1, duplicate: true });
    expect(await rowsOf(k)).toBe(1n + 2n * 5n + 5n);
  }, 60_000);

  it('a process that starts then answers for the others, in its first push too', async () => {
    await stop(gone);
    const next = await world.open({ definitions: () => definitions, machine: 'b', limits: { timeoutMs: 10_000 } });
    const [key = ''] = claimsAt(others[1]);
    const [k = ''] = recordsAt(others[0]);
    expect(await push(k, key, next)).toMatchObject({ accepted: 1, duplicate: false });
    for (const node of others) await Promise.all(pushToEach([node], next));
  }, 60_000);

  it('what was pushed before any node was known goes to the others as soon as they are', async () => {
    for (const master of cluster.nodes) stopServer(master);
    const next = await world.open({ definitions: () => definitions, machine: 'b', limits: { timeoutMs: 30_000 } });
    const [own = ''] = recordsAt(gone);
    const waiting = push(own, undefined, next);
    const [key = ''] = claimsAt(others[1]);
    const [k = ''] = recordsAt(others[0]);
    const living = [
      push(k, key, next),
      ...others.flatMap((node) => recordsAt(node).map((k) => push(k, undefined, next))),
    ];
    await expect
      .poll(() => next.ingestion.status().writer?.storeFailure, { timeout: 20_000 })
      .toEqual(expect.any(String));
    goOn(cluster.nodes.slice(1));
    for (const one of await Promise.all(living)) expect(one).toMatchObject({ accepted: 1 });
    expect(next.ingestion.status().writer).toMatchObject({ pending: 1 });
    goOn();
    expect(await waiting).toMatchObject({ accepted: 1 });
    expect(await rowsOf(k)).toBe(3n);
  }, 90_000);
});
