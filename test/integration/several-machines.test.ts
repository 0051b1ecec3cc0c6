// Two servers on one store with a log each, and a third machine that only materializes, each killed or stopped at every
// step while sales are pushed to whichever server answers: the counts are exact.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Fault } from '../support/fault-points.ts';
import { startRedisPair } from '../support/redis-pair.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import type { Traffic } from '../support/sales-traffic.ts';
import { openSalesWorld, type SalesWorld } from '../support/sales-world.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('several machines on one Redis: there is no redis-server on this machine');

const faults = (signal: Fault['signal'], whens: readonly Fault['when'][], points: readonly (readonly [string, number])[]) =>
  points.flatMap(([point, n]) => whens.map((when): Fault => ({ point, when, n, signal })));

/** Steps of a push, a cut, shipping. */
const PUSHING = [
  ['log.register', 1],
  ['own.append', 3],
  ['writer.claim', 2],
  ['writer.putParts', 3],
  ['writer.finish', 2],
  ['own.openCut', 2],
  ['own.seal', 1],
  ['own.ship', 1],
  ['runs.answer', 1],
] as const;

/** Steps of settling the log of the life before. */
const SETTLING = [
  ['store.fenceWriter', 1],
  ['settler.claims', 1],
  ['settler.putParts', 1],
  ['settler.claim', 1],
  ['settler.finish', 1],
  ['dead.seal', 1],
  ['dead.ship', 1],
  ['dead.finish', 1],
] as const;

/** Steps of a run: its row asked, opened, finished; the store. */
const RUNNING = [
  ['rows.change', 1],
  ['rows.change', 2],
  ['run.begin', 1],
  ['run.write', 1],
  ['run.mark', 1],
  ['rows.change', 3],
] as const;

const MINUTES = 60_000;

/** Files of a night, then sales that only came by push since. */
const night = async (traffic: Traffic): Promise<void> => {
  await traffic.file('kept');
  await traffic.file('nightly');
};

/** All is over: whatever is left is settled, one run counts it, and again from nothing but files and logs. */
async function expectExact(world: SalesWorld, traffic: Traffic, servers: readonly string[], start = {}): Promise<void> {
  await world.during(() => traffic.checkNow(), traffic.stop());
  await world.makePeace(servers, start);
  await traffic.checkNow();
  expect(await world.run('c', start)).toMatch(/^done /);
  await traffic.checkEnd();
  expect(traffic.acknowledged).toBeGreaterThan(100);
}

let world: SalesWorld | undefined;
let redis: { stop(): Promise<void> } | undefined;
afterEach(async () => {
  await world?.close();
  await redis?.stop();
  world = redis = undefined;
});

describe.skipIf(!hasRedis())('several machines on one Redis', () => {
  it('count each sale once, whichever is killed or stopped at whichever step', { timeout: 180_000 }, async () => {
    const server = await startRedis();
    redis = server;
    const own = (world = await openSalesWorld({ online: server.url }));
    const traffic = own.startTraffic();
    await night(traffic);
    const sweeps = Promise.all([
      // By clocks that are ahead, behind, and stepping.
      own.sweepServer('a', faults('SIGKILL', ['after'], PUSHING), { start: () => ({ clockAheadMs: 20 * MINUTES }) }),
      own.sweepServer('b', faults('SIGKILL', ['after'], SETTLING), { start: () => ({ clockAheadMs: -20 * MINUTES }) }),
      own.sweepRuns(
        'c',
        [...faults('SIGKILL', ['after'], RUNNING), ...faults('SIGSTOP', ['before'], RUNNING.slice(2, 5))],
        {
          each: async (at) => void (at % 3 === 0 && (await night(traffic))),
          start: (at) => ({ clockAheadMs: (at % 3) * 60 * MINUTES - 60 * MINUTES }),
        },
      ),
    ]);
    const missed = await own.during(() => traffic.checkNow(), sweeps);
    expect(missed.flat()).toEqual([]);
    await Promise.all([own.serve('a'), own.serve('b')]);
    await expectExact(own, traffic, ['a', 'b']);
  });

  it('count each sale once when Redis fails over and loses its last writes', { timeout: 120_000 }, async () => {
    const pair = await startRedisPair();
    redis = pair;
    const own = (world = await openSalesWorld({ online: pair.url }));
    await Promise.all([own.serve('a'), own.serve('b')]);
    const traffic = own.startTraffic();
    const isWhole = () =>
      expect.poll(() => traffic.checkNow().then(() => 'whole', String), { timeout: 20_000 }).toBe('whole');
    await night(traffic);
    expect(await own.run('c')).toMatch(/^done /);

    const failOver = async (meanwhile: () => Promise<unknown>): Promise<void> => {
      pair.holdBack();
      await meanwhile();
      await pair.failOver();
    };
    const story = async (): Promise<void> => {
      // What was pushed last is lost, and written again by the writers.
      await failOver(() => sleep(300));
      await isWhole();
      // A whole run is lost.
      await night(traffic);
      await failOver(() => own.run('c'));
      await isWhole();
      // Whoever would write again is killed: what is lost with it comes back with its machine.
      await failOver(async () => {
        await sleep(200);
        await own.killServer('a');
      });
      await own.serve('a');
      await isWhole();
      // A run that is stopped across a failover.
      await night(traffic);
      const fault: Fault = { point: 'run.write', when: 'after', n: 1, signal: 'SIGSTOP' };
      const run = own.machines.materialize('c', {}, { faults: [fault] });
      await failOver(() => run.saidLine('fault '));
      run.signal('SIGCONT');
      await run.ended;
      await isWhole();
    };
    await own.during(() => traffic.checkMost(), story());
    await expectExact(own, traffic, ['a', 'b']);

    // All of it is lost, the marks too: files and logs have everything.
    await pair.loseAll();
    await expect.poll(() => own.run('c'), { timeout: 20_000 }).toMatch(/^done /);
    await traffic.checkEnd();
  });
});

describe('two servers and a run on one LMDB', () => {
  it('count each sale once, whichever is killed or stopped at whichever step', { timeout: 120_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
    redis = { stop: async () => rmSync(directory, { recursive: true, force: true }) };
    const own = (world = await openSalesWorld({ online: `lmdb:${directory}`, variables: { HEADRACE_ONLINE_MAP_SIZE: '1GB' } }));
    const start = () => ({ machine: 'one' });
    const traffic = own.startTraffic();
    await night(traffic);
    const sweeps = Promise.all([
      own.sweepServer('a', faults('SIGKILL', ['during'], PUSHING.slice(1, 5)), { start }),
      own.sweepServer('b', [...faults('SIGKILL', ['during'], SETTLING.slice(2, 4)), ...faults('SIGSTOP', ['after'], PUSHING.slice(3, 4))], { start }),
      own.sweepRuns('c', [...faults('SIGKILL', ['after'], RUNNING.slice(3, 5)), ...faults('SIGSTOP', ['after'], RUNNING.slice(3, 4))], {
        start,
        each: () => night(traffic),
      }),
    ]);
    const missed = await own.during(() => traffic.checkNow(), sweeps);
    expect(missed.flat()).toEqual([]);
    await Promise.all([own.serve('a', start()), own.serve('b', start())]);
    await expectExact(own, traffic, ['a', 'b'], start());
  });
});
