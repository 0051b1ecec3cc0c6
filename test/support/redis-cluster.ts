// A real Redis Cluster of the tests' own, with replicas where a test wants failover.

import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { hasRedis, type RedisServer, startRedis } from './redis-server.ts';

export type RedisCluster = Awaited<ReturnType<typeof startRedisCluster>>;

export interface RedisClusterOptions {
  readonly masters?: number;
  /** Of each master. */
  readonly replicas?: number;
  readonly nodeTimeoutMs?: number;
  /** More settings of each node, as on the command line. */
  readonly settings?: readonly string[];
}

const START_LIMIT_MS = 30_000;

export function hasRedisCluster(): boolean {
  return hasRedis() && spawnSync('redis-cli', ['--version']).status === 0;
}

export async function startRedisCluster(options: RedisClusterOptions = {}) {
  const { masters = 3, replicas = 0, nodeTimeoutMs = 5000, settings: more = [] } = options;
  const nodes: RedisServer[] = [];
  for (let i = 0; i < masters * (1 + replicas); i++) {
    const bus = ['--cluster-port', String(await freePort())];
    const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs), ...bus];
    nodes.push(await startRedis({ settings: [...settings, '--repl-diskless-sync-delay', '0', ...more] }));
  }
  const addresses = nodes.map((node) => `127.0.0.1:${node.port}`);
  const words = ['--cluster', 'create', ...addresses, '--cluster-replicas', String(replicas), '--cluster-yes'];
  const made = spawnSync('redis-cli', words, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`redis-cli: ${made.stdout}${made.stderr}`);

  const limitMs = performance.now() + START_LIMIT_MS;
  while (!(await isWell(nodes, replicas))) {
    if (performance.now() > limitMs) throw new Error('the cluster did not become ready');
    await sleep(50);
  }
  /** The node that is master of a slot now, as the first that runs tells it. */
  const masterOf = async (slot: number): Promise<RedisServer> => {
    for (const { port, ranges } of await describeNodes(nodes)) {
      if (ranges.some(([from, to]) => from <= slot && slot <= to)) return nodes.find((node) => node.port === port)!;
    }
    throw new Error(`nobody has slot ${slot}`);
  };
  return {
    url: `redis+cluster://${addresses.join(',')}`,
    /** Masters first, as they were made. */
    nodes: nodes as readonly RedisServer[],
    masterOf,
    /** Those that follow it, at least one: the node that is asked may not have heard yet of one that came or came back. */
    async replicasOf(master: RedisServer): Promise<RedisServer[]> {
      const limitMs = performance.now() + START_LIMIT_MS;
      for (;;) {
        const described = await describeNodes(nodes);
        const id = described.find(({ port }) => port === master.port)?.id;
        const ports = described.filter(({ masterId }) => masterId === id).map(({ port }) => port);
        if (ports.length > 0) return nodes.filter(({ port }) => ports.includes(port));
        if (performance.now() > limitMs) throw new Error(`nobody follows the master at port ${master.port}`);
        await sleep(50);
      }
    },
    /** With its keys, to another master; every node knows of it. */
    async moveSlot(slot: number, to: RedisServer): Promise<void> {
      const from = await masterOf(slot);
      const idOf = async (node: RedisServer) => (await node.command('CLUSTER MYID')).split('\r\n')[1];
      await to.command(`CLUSTER SETSLOT ${slot} IMPORTING ${await idOf(from)}`);
      await from.command(`CLUSTER SETSLOT ${slot} MIGRATING ${await idOf(to)}`);
      const keys = (await from.command(`CLUSTER GETKEYSINSLOT ${slot} 1000`))
        .split('\r\n')
        .filter((one) => one.startsWith('hr:'));
      for (const key of keys) await from.command(`MIGRATE 127.0.0.1 ${to.port} ${key} 0 1000`);
      for (const node of [to, from, ...nodes]) await node.command(`CLUSTER SETSLOT ${slot} NODE ${await idOf(to)}`);
    },
    async stop(): Promise<void> {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

// Every node sees a whole cluster, and every replica is in step with its master.
async function isWell(nodes: readonly RedisServer[], replicas: number): Promise<boolean> {
  const infos = await Promise.all(nodes.map((node) => node.command('CLUSTER INFO')));
  if (!infos.every((info) => info.includes('cluster_state:ok'))) return false;
  if (replicas === 0) return true;
  const roles = await Promise.all(nodes.map((node) => node.command('INFO replication')));
  return roles.every((info) =>
    info.includes('role:master')
      ? info.includes(`connected_slaves:${replicas}`)
      : info.includes('master_link_status:up'),
  );
}

interface DescribedNode {
  readonly id: string;
  readonly port: number;
  readonly masterId: string;
  readonly ranges: readonly (readonly [number, number])[];
}

async function describeNodes(nodes: readonly RedisServer[]): Promise<DescribedNode[]> {
  for (const node of nodes) {
    const reply = await node.command('CLUSTER NODES').catch(() => '');
    const lines = reply.split('\n').filter((line) => /^[0-9a-f]{40} /.test(line));
    if (lines.length === 0) continue;
    return lines.map((line) => {
      const [id = '', place = '', , masterId = '', , , , , ...slots] = line.trim().split(' ');
      const ranges = slots
        .filter((slot) => !slot.startsWith('['))
        .map((slot) => {
          const [from, to = from] = slot.split('-').map(Number);
          return [from ?? 0, to ?? 0] as const;
        });
      return { id, port: Number(/:(\d+)@/.exec(place)?.[1]), masterId, ranges };
    });
  }
  throw new Error('no node of the cluster answers');
}
