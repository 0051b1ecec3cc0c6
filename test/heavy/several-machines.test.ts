// Several machines at full size: a fault before, in the middle of and after every step, on all stores, and rounds of chaos.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../support/chance.ts';
import { faultsAt } from '../support/fault-points.ts';
import { expectExact, expectMet, isWhole, listed, MINUTES, night, runsWell } from '../support/machine-sweeps.ts';
import { endSpares, type StartOptions } from '../support/machines.ts';
import { findPostgres, startPostgres } from '../support/postgres-server.ts';
import { hasRedisCluster, type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { type RedisPair, startRedisPair } from '../support/redis-pair.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { findS3Server, startS3Server } from '../support/s3-server.ts';
import type { Traffic } from '../support/sales-traffic.ts';
import { openSalesWorld, type SalesWorld } from '../support/sales-world.ts';
import { skipBecause } from '../support/skips.ts';
import { openGate } from '../support/tcp-gate.ts';

if (!hasRedis()) skipBecause('several machines on one Redis: there is no redis-server on this machine');
if (!hasRedisCluster()) skipBecause('several machines on a Redis Cluster: there is no redis-server or redis-cli');
if (findPostgres() === undefined) skipBecause('several machines on one Postgres: there is none on this machine');

/** How many rounds of chaos: each of about ten seconds. */
const ROUNDS = Number(process.env['HEADRACE_CHAOS_ROUNDS'] ?? 8);
const SEED = Number(process.env['HEADRACE_CHAOS_SEED'] ?? Date.now() % 1e6);
const DAYS = 24 * 60 * MINUTES;

const everyWhen = (...steps: readonly string[]): string[] =>
  steps.flatMap((step) => ['before', 'during', 'after'].map((when) => `${when} ${step}`));

const PUSHING = everyWhen(
  ...listed(`log.register 1, own.append 1, own.append 7, writer.claim 3, writer.putParts 5, writer.finish 3, own.openCut 1,
  own.openCut 2, own.seal 1, objects.put 1, own.ship 2, runs.answer 1, own.touch 1`),
);
const SETTLING = everyWhen(
  ...listed(`log.adopt 1, store.fenceWriter 1, store.writer 1, settler.claims 1, settler.putParts 1, settler.claim 1,
  settler.finish 1, dead.seal 1, dead.ship 1, dead.finish 1`),
);
/** Rows' changes come three a view: asked, opened, finished. */
const RUNNING = everyWhen(
  ...listed(`rows.change 1, rows.change 2, rows.change 3, store.run 1, run.begin 1, run.write 1, run.mark 1, run.write 3,
  run.mark 3, rows.change 9`),
);
const STOPPED_RUNS = listed('store.run 1, run.begin 1, run.write 1, run.mark 1, run.write 3, run.mark 3');
const STOPPED_SERVERS = listed(
  'own.append 3, writer.claim 2, writer.putParts 3, writer.finish 2, own.seal 1, own.ship 1',
);

/** Servers one after the other, the other one up; runs beside them until the servers are through. */
async function sweepAll(world: SalesWorld, traffic: Traffic, start: (machine: string, at: number) => StartOptions) {
  const around = (steps: readonly string[]) => steps.flatMap((step) => [`before ${step}`, `after ${step}`]);
  const servers = async (): Promise<string[]> => {
    const of = (machine: string) => ({ start: (at: number) => start(machine, at) });
    const pushing = [...faultsAt('SIGKILL', ...PUSHING), ...faultsAt('SIGSTOP', ...around(STOPPED_SERVERS))];
    const missed = await world.sweepServer('a', pushing, of('a'));
    await world.serve('a', start('a', 0));
    await world.killServer('b');
    missed.push(...(await world.sweepServer('b', faultsAt('SIGKILL', ...SETTLING), of('b'))));
    await world.serve('b', start('b', 0));
    return missed;
  };
  const faults = [...faultsAt('SIGKILL', ...RUNNING), ...faultsAt('SIGSTOP', ...around(STOPPED_RUNS))];
  await expectMet(world, traffic, servers(), faults, (at) => start('c', at));
}

/** Whatever must be stopped when a test is over, the last first. */
let stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.toReversed()) await stop();
  stops = [];
});
afterAll(endSpares);
const stoppedLater = <T extends { stop(): Promise<unknown> }>(thing: T): T => {
  stops.push(() => thing.stop());
  return thing;
};
async function openWorld(...options: Parameters<typeof openSalesWorld>): Promise<SalesWorld> {
  const world = await openSalesWorld(...options);
  stops.push(() => world.close());
  return world;
}

const hasServers = hasRedis() && findPostgres() !== undefined;

describe.skipIf(!hasServers)('several machines on one Redis and one Postgres', () => {
  it('count each sale once, with a fault at every step', async () => {
    const redis = stoppedLater(await startRedis());
    const postgres = stoppedLater(await startPostgres());
    const world = await openWorld({ online: redis.url, registry: await postgres.newDatabase() });
    const clocks: Readonly<Record<string, number>> = { a: 20, b: -20 };
    const start = (machine: string, at: number) => ({ clockAheadMs: (clocks[machine] ?? (at % 2) * 60) * MINUTES });
    await world.serve('b', start('b', 0));
    const traffic = world.startTraffic();
    await night(traffic);
    await runsWell(world);
    await sweepAll(world, traffic, start);
    await expectExact(world, traffic, {}, false);
  });

  it('count each sale once while the object store comes and goes', async (test) => {
    const program = findS3Server('several machines');
    if (program === undefined) return test.skip('there is no S3 server on this machine');
    const redis = stoppedLater(await startRedis());
    const postgres = stoppedLater(await startPostgres());
    const s3 = stoppedLater(await startS3Server(program));
    const gate = await openGate(() => Number(new URL(s3.endpoint).port));
    stops.push(async () => gate.end());
    const before = { ...process.env };
    // Those that wait already have not the keys in their environment.
    await endSpares();
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey });
    stops.push(async () => void (process.env = before));
    const query = `endpoint=${encodeURIComponent(`http://127.0.0.1:${gate.port}`)}&region=us-east-1&pathStyle=true`;
    const world = await openWorld({
      online: redis.url,
      registry: await postgres.newDatabase(),
      artifacts: `s3://${await s3.newBucket()}/headrace?${query}`,
    });
    await Promise.all([world.serve('a'), world.serve('b')]);
    const traffic = world.startTraffic();
    await night(traffic);
    await runsWell(world);
    const story = async (): Promise<void> => {
      for (let round = 0; round < 4; round++) {
        gate.refuse();
        await night(traffic);
        // It covers what was shipped and can be read, or says what it can't do.
        expect(await world.run('c')).toMatch(/^(done|failed HR_(STORAGE_UNAVAILABLE|MATERIALIZE_BUSY|BOUNDARY_HELD)) /);
        await world.killServer(round % 2 === 0 ? 'a' : 'b');
        await world.serve(round % 2 === 0 ? 'a' : 'b');
        await sleep(2000);
        gate.admit();
        await runsWell(world);
      }
    };
    await world.during(() => traffic.checkNow(), story());
    await expectExact(world, traffic, {}, false);
  });

  it('count each sale once after a run by a clock that is 300 days ahead', async () => {
    const redis = stoppedLater(await startRedis());
    const world = await openWorld({ online: redis.url });
    await Promise.all([world.serve('a'), world.serve('b')]);
    const traffic = world.startTraffic();
    await night(traffic);
    await runsWell(world, { clockAheadMs: 300 * DAYS });
    await night(traffic);
    await runsWell(world);
    await world.run('c', { clockAheadMs: -300 * DAYS });
    await night(traffic);
    await expectExact(world, traffic, {}, false);
  });
});

describe('two servers and a run on one LMDB', () => {
  it('count each sale once, with a fault at every step', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
    stops.push(async () => rmSync(directory, { recursive: true, force: true }));
    const variables = { HEADRACE_ONLINE_MAP_SIZE: '4GB' };
    const world = await openWorld({ online: `lmdb:${directory}`, variables });
    // Machines of one host, as far as the store goes: with logs of their own they are killed and settled one by one.
    await world.serve('b');
    const traffic = world.startTraffic();
    await night(traffic);
    await runsWell(world);
    await sweepAll(world, traffic, () => ({}));
    await expectExact(world, traffic, {}, false);
  });
});

interface Chaos {
  readonly world: SalesWorld;
  readonly traffic: Traffic;
  readonly random: Random;
  /** The store fails over and loses its last writes, `meanwhile` too. */
  failOver(meanwhile: () => Promise<unknown>): Promise<void>;
}

/** Does a few things at once, or one after the other, and tells what it did. */
async function chaosRound({ world, traffic, random, failOver }: Chaos, say: (line: string) => void): Promise<void> {
  const server = (): string => random.pick(['a', 'b']);
  const again = async (name: string): Promise<void> =>
    void (await world.serve(name, { clockAheadMs: random.below(40) * MINUTES - 20 * MINUTES }));
  const acts: Readonly<Record<string, () => Promise<unknown>>> = {
    night: () => night(traffic),
    run: () => world.run('c', { clockAheadMs: random.below(3) * 30 * MINUTES }),
    'two runs at once': () => Promise.all([world.run('c'), world.run('d')]),
    async 'kill a server'() {
      const name = server();
      await world.killServer(name);
      await sleep(random.below(1500));
      await again(name);
    },
    async 'stop a server across a run'() {
      const name = server();
      world.signalServer(name, 'SIGSTOP');
      await world.run('c');
      world.signalServer(name, 'SIGCONT');
    },
    async 'kill a run'() {
      const [step] = random.shuffled(RUNNING);
      const run = world.machines.materialize('c', {}, { faults: faultsAt('SIGKILL', step as string) });
      await run.ended;
    },
    async 'stop a run across another'() {
      const [step] = random.shuffled(STOPPED_RUNS);
      await world.sweepRuns('c', faultsAt('SIGSTOP', `after ${step}`));
    },
    'fail over': () => failOver(() => sleep(random.below(500))),
    async 'fail over in a run'() {
      await failOver(() => world.run('c'));
      // Logs that were done with the run that is lost are counted again by the next one.
      await runsWell(world);
    },
    async 'fail over with a server'() {
      const name = server();
      await failOver(async () => {
        await sleep(random.below(300));
        await world.killServer(name);
      });
      await again(name);
    },
  };
  for (const name of random.shuffled(Object.keys(acts)).slice(0, 4)) {
    say(name);
    await acts[name]?.();
  }
}

async function chaos(test: Chaos): Promise<void> {
  const { world, traffic } = test;
  await Promise.all([world.serve('a'), world.serve('b')]);
  await night(traffic);
  await runsWell(world);
  const did: string[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const say = (act: string) => did.push(`${round}: ${act}`);
      await world.during(() => traffic.checkMost(), chaosRound(test, say));
      await isWhole(traffic);
    }
    await expectExact(world, traffic, {}, false);
  } catch (error) {
    throw new Error(`seed ${SEED}, after ${did.join('; ')}: ${String(error)}`, { cause: error });
  }
}

describe.skipIf(!hasRedis())('chaos', () => {
  it('on a Redis that fails over loses nothing and counts nothing twice', async () => {
    const pair: RedisPair = stoppedLater(await startRedisPair());
    const world = await openWorld({ online: pair.url });
    await chaos({
      world,
      traffic: world.startTraffic(),
      random: createRandom(SEED),
      async failOver(meanwhile) {
        pair.holdBack();
        await meanwhile();
        await pair.failOver();
      },
    });
  });

  it.skipIf(!hasRedisCluster())(
    'on a Redis Cluster that fails over loses nothing and counts nothing twice',
    async () => {
      const cluster: RedisCluster = stoppedLater(await startRedisCluster({ replicas: 1, nodeTimeoutMs: 1500 }));
      const world = await openWorld({ online: cluster.url });
      const random = createRandom(SEED);
      await chaos({
        world,
        traffic: world.startTraffic(),
        random,
        async failOver(meanwhile) {
          const slot = random.pick([0, 8000, 16_000]);
          const master = await cluster.masterOf(slot);
          const [replica] = (await cluster.replicasOf(master)) as [RedisServer];
          // It falls behind, and what it lacks goes down with its master.
          process.kill(replica.pid(), 'SIGSTOP');
          await meanwhile();
          await master.kill();
          process.kill(replica.pid(), 'SIGCONT');
          // Not before: a master that comes back empty too soon empties its replica.
          const portOf = async () => (await cluster.masterOf(slot).catch(() => undefined))?.port;
          await expect.poll(portOf, { timeout: 60_000 }).toBe(replica.port);
          await follows(master);
        },
      });
    },
  );
});

/** Starts a node that was killed, and waits until it follows whoever took its place. */
async function follows(node: RedisServer): Promise<void> {
  await node.start();
  await expect
    .poll(() => node.command('INFO replication'), { timeout: 30_000 })
    .toMatch(/role:slave[\s\S]*master_link_status:up/);
}
