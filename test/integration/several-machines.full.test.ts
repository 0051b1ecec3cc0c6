// Two servers with a log each, and a machine that materializes, each killed or stopped at every step of sales that are pushed.
// twin: test/integration/crash-steps.test.ts > a process that dies at any step, on $name,
// twin: test/property/real-histories.test.ts > counts once when it was acknowledged, in 100 histories

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, it } from 'vitest';
import { faultsAt } from '../support/fault-points.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { expectExact, expectMet, isWhole, listed, MINUTES, night, runsWell } from '../support/machine-sweeps.ts';
import { endSpares } from '../support/machines.ts';
import { startRedisPair } from '../support/redis-pair.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import type { Traffic } from '../support/sales-traffic.ts';
import { openSalesWorld, type SalesWorld } from '../support/sales-world.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('several machines on one Redis: there is no redis-server on this machine');

// The steps that differ most; test/heavy takes every step, before, in the middle and after, and more calls of each.

/** Of a push, of a cut, of shipping it. */
const PUSHING =
  listed(`during own.append 3, after writer.claim 2, before writer.putParts 3, after writer.finish 2, after own.openCut 2,
  after own.seal 1, after own.ship 1`);

/** Of settling the log of the life before. */
const SETTLING = listed(
  'after settler.claims 1, after settler.putParts 1, after settler.finish 1, after dead.seal 1, after dead.finish 1',
);

/** Of a run: its row asked (1), opened (2) and finished (3), its bases and marks. */
const RUNNING = listed(
  'after rows.change 2, after run.begin 1, after run.write 1, after run.mark 3, after rows.change 3',
);
const STOPPING = ['before run.write 1', 'before run.mark 3'];

const [AHEAD, BEHIND] = [{ clockAheadMs: 20 * MINUTES }, { clockAheadMs: -20 * MINUTES }];

/** Server b serves, by a clock that is behind, and a run has counted the files of a night. */
async function beginBehind(world: SalesWorld): Promise<Traffic> {
  await world.serve('b', BEHIND);
  const traffic = world.startTraffic();
  await night(traffic);
  await runsWell(world);
  return traffic;
}

/** Server a is killed at each step of a push and then serves on; server b is killed. Gives the faults that were never met. */
async function sweepPushing(world: SalesWorld): Promise<string[]> {
  const missed = await world.sweepServer('a', faultsAt('SIGKILL', ...PUSHING), { start: () => AHEAD });
  await world.serve('a', AHEAD);
  await world.killServer('b');
  return missed;
}

const sweepBehind = (world: SalesWorld, steps: readonly string[], signal: 'SIGKILL' | 'SIGSTOP' = 'SIGKILL') =>
  world.sweepServer('b', faultsAt(signal, ...steps), { start: () => BEHIND });

let world: SalesWorld | undefined;
let redis: { stop(): Promise<void> } | undefined;
let kafka: KafkaServer | undefined;
const program = findKafka();
if (program === undefined) skipBecause(`several machines with their logs in a topic: ${WITHOUT_KAFKA}`);
afterEach(async () => {
  await world?.close();
  await redis?.stop();
  await kafka?.stop();
  world = redis = kafka = undefined;
});
afterAll(endSpares);

describe.skipIf(!hasRedis())('several machines on one Redis', () => {
  it('count each sale once, whichever is killed or stopped at whichever step', { timeout: 180_000 }, async () => {
    const server = await startRedis();
    redis = server;
    const own = (world = await openSalesWorld({ online: server.url }));
    // By clocks that are ahead, behind, and stepping.
    const traffic = await beginBehind(own);
    const sweepServers = async () => [...(await sweepPushing(own)), ...(await sweepBehind(own, SETTLING))];
    const faults = [...faultsAt('SIGKILL', ...RUNNING), ...faultsAt('SIGSTOP', ...STOPPING)];
    const start = (at: number) => ({ clockAheadMs: (at % 2) * 60 * MINUTES });
    await expectMet(own, traffic, sweepServers(), faults, start);
    await own.serve('b');
    await expectExact(own, traffic);
  });

  it.skipIf(program === undefined)(
    'count each sale once with their logs in a topic, where any machine settles the dead of another',
    { timeout: 400_000 },
    async () => {
      const server = await startRedis();
      redis = server;
      if (program !== undefined) kafka = await startKafka(program);
      const topic = { HEADRACE_PUSH_LOG_TOPIC: 'sales', HEADRACE_PUSH_LOG_BROKERS: 'env:LOG_BROKERS' };
      const variables = { ...topic, LOG_BROKERS: kafka?.broker ?? '' };
      const own = (world = await openSalesWorld({ online: server.url, variables }));
      // No two of their clocks are compared.
      const traffic = await beginBehind(own);
      const sweepServers = async (): Promise<string[]> => {
        const missed = [...(await sweepPushing(own)), ...(await sweepBehind(own, ['during own.append 3'], 'SIGSTOP'))];
        // Alone it settles itself what it left the life before.
        await own.killServer('a');
        return [...missed, ...(await sweepBehind(own, SETTLING))];
      };
      await expectMet(own, traffic, sweepServers(), [], () => BEHIND);
      await own.serve('b');
      await expectExact(own, traffic);
    },
  );

  it('count each sale once when Redis fails over and loses its last writes', { timeout: 120_000 }, async () => {
    const pair = await startRedisPair();
    redis = pair;
    const own = (world = await openSalesWorld({ online: pair.url }));
    await Promise.all([own.serve('a'), own.serve('b')]);
    const traffic = own.startTraffic();
    await night(traffic);
    await runsWell(own);

    const failOver = async (meanwhile: () => Promise<unknown>): Promise<void> => {
      pair.holdBack();
      await meanwhile();
      await pair.failOver();
    };
    const story = async (): Promise<void> => {
      // What was pushed last is lost, and written again by the writers.
      await failOver(() => sleep(300));
      await isWhole(traffic);
      // A whole run is lost.
      await night(traffic);
      await failOver(() => own.run('c'));
      await isWhole(traffic);
      // Whoever would write again is killed: what is lost with it comes back with its machine.
      await failOver(async () => {
        await sleep(200);
        await own.killServer('a');
      });
      await own.serve('a');
      await isWhole(traffic);
      // A run that is stopped across a failover.
      await night(traffic);
      const run = own.machines.materialize('c', {}, { faults: faultsAt('SIGSTOP', 'after run.write 1') });
      await failOver(() => run.saidLine('fault '));
      run.signal('SIGCONT');
      await run.ended;
      await isWhole(traffic);
    };
    await own.during(() => traffic.checkMost(), story());
    await expectExact(own, traffic);

    // All of it is lost, the marks too: files and logs have everything.
    await pair.loseAll();
    await runsWell(own);
    await traffic.checkEnd();
  });
});

describe('two servers and a run on one LMDB', () => {
  it('count each sale once, whichever is killed or stopped at whichever step', { timeout: 120_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
    redis = { stop: async () => rmSync(directory, { recursive: true, force: true }) };
    const variables = { HEADRACE_ONLINE_MAP_SIZE: '1GB' };
    const own = (world = await openSalesWorld({ online: `lmdb:${directory}`, variables }));
    const start = () => ({ machine: 'one' });
    await own.serve('b', start());
    const traffic = own.startTraffic();
    await night(traffic);
    await runsWell(own, start());
    // Whoever of the two is there first settles the log of the other.
    const kills = faultsAt('SIGKILL', 'during writer.claim 2', 'during writer.putParts 3', 'after own.seal 1');
    const sweep = own.sweepServer('a', [...kills, ...faultsAt('SIGSTOP', 'after writer.putParts 3')], { start });
    const faults = [...faultsAt('SIGKILL', 'after run.write 1'), ...faultsAt('SIGSTOP', 'before run.mark 1')];
    await expectMet(own, traffic, sweep, faults, start);
    await own.serve('a', start());
    await expectExact(own, traffic, start());
  });
});
