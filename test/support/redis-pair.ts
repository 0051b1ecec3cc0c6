// A Redis master with a replica behind one address that follows a failover, as a load balancer does. What goes to the
// replica goes through a gate that can hold it back: a failover then loses the last writes.

import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, startRedis } from './redis-server.ts';
import { type Gate, openGate } from './tcp-gate.ts';

export type RedisPair = Awaited<ReturnType<typeof startRedisPair>>;

export async function startRedisPair() {
  let master = await startRedis({ settings: SETTINGS });
  const front = await openGate(() => master.port);
  let gate = await openGate(() => master.port);
  let replica = await startReplica(gate);
  await inStep(master, replica);

  return {
    url: `redis://127.0.0.1:${front.port}`,
    /** Holds back what the replica would get from now on; it stays connected, and falls behind. */
    holdBack: () => gate.holdBack(),
    /** Ends the replica's connection, and lets it make no other; resolves once the master has no replica. */
    async cutOff() {
      gate.refuse();
      while (!(await master.command('INFO replication')).includes('connected_slaves:0')) await sleep(20);
    },
    /** Lets the replica connect again; it may take a second until it tries. */
    letBack: () => gate.admit(),
    /** As a power cut of the master: the replica becomes master, without what was held back, and gets a new replica. */
    async failOver() {
      const old = master;
      await old.kill();
      gate.end();
      front.cut();
      await replica.command('REPLICAOF NO ONE');
      master = replica;
      await old.stop();
      // A gate of its own: what the old one holds is lost.
      gate = await openGate(() => master.port);
      replica = await startReplica(gate);
      // Until then there is nothing to fail over to.
      await inStep(master, replica);
    },
    /** Ends the master and starts it again, empty. */
    async loseAll() {
      await master.kill();
      front.cut();
      await master.start();
      // It may have been begun as a replica.
      await master.command('REPLICAOF NO ONE');
      await master.command('FLUSHALL');
    },
    async stop() {
      front.end();
      gate.end();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}

/** Replicas come into step at once, and nothing waits for one that is gone. */
const SETTINGS = ['--repl-diskless-sync-delay', '0', '--repl-timeout', '60'];
const START_LIMIT_MS = 30_000;

const startReplica = (gate: Gate): Promise<RedisServer> =>
  startRedis({ settings: [...SETTINGS, '--replicaof', '127.0.0.1', String(gate.port)] });

/** Both see it: the master tells of its replica a moment later than the replica of its master. */
async function inStep(master: RedisServer, replica: RedisServer): Promise<void> {
  const limit = performance.now() + START_LIMIT_MS;
  const says = async (server: RedisServer, words: string): Promise<boolean> =>
    (await server.command('INFO replication')).includes(words);
  while (!((await says(replica, 'master_link_status:up')) && (await says(master, 'state=online')))) {
    if (performance.now() > limit) throw new Error('the replica did not come into step');
    await sleep(20);
  }
}
