// The database stops under a rollout of two servers: it hangs, or is killed. Requests are answered as before, breakers act, and
// what was counted meanwhile is there once it is back, each row once. A long absence: test/heavy.
// twin: test/contract/rollouts.test.ts > holds through an hour without its database, which counts for nothing
// twin: test/contract/minutes.test.ts > are held while the database is away, and written when it is back
// twin: test/contract/rollouts.test.ts > breaches where a breaker opened

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import {
  countedRows,
  expectUntouched,
  FAILS,
  openRolloutServers,
  type RolloutServers,
  SAME,
  STABLE,
} from '../support/rollout-servers.ts';
import { skipBecause } from '../support/skips.ts';

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres) skipBecause('a rollout whose database stops: no initdb and postgres found (Debian: postgresql)');

/** Longer than a query is waited for. */
const AWAY_MS = 3000;

describe.runIf(hasPostgres)('a rollout whose database stops', { timeout: 60_000 }, () => {
  let postgres: PostgresServer;
  let world: RolloutServers;
  let database: Database;
  beforeAll(async () => {
    postgres = await startPostgres();
    const url = await postgres.newDatabase();
    database = await openDatabase(url);
    world = await openRolloutServers({ env: { HEADRACE_REGISTRY_URL: `${url}&query_timeout=1000` } });
  }, 90_000);
  afterAll(async () => {
    postgres?.goOn();
    await world?.close();
    await database?.close();
    await postgres?.stop();
  });

  it('and hangs goes on where it was, and counts each row once', async () => {
    world.ask();
    const { id } = await world.start({ candidate: SAME, steps: [50, 100], hold: '2s', bake: '1s' });
    await world.until(id, ({ state }) => state === 'watching');
    postgres.pause();
    const meanwhile = await world.during(() => sleep(AWAY_MS));
    postgres.goOn();
    expectUntouched(meanwhile, [STABLE, SAME]);
    expect(meanwhile.length).toBeGreaterThan(10);
    await world.rest();
    await expect.poll(() => countedRows(database), { timeout: 20_000 }).toBe(world.answers.length);
    world.ask();
    const ended = await world.until(id, ({ state }) => state === 'promoted');
    expect(ended.history.map(({ to }) => to)).toEqual([
      'pending',
      'preparing',
      'settling',
      'watching',
      'preparing',
      'settling',
      'baking',
      'promoted',
    ]);
    expect(world.answers.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('and is killed is left by breakers at once, and goes back when it is there again', async () => {
    world.ask();
    const { id } = await world.start({ candidate: FAILS, steps: [50, 100], hold: '10m', guards: ['null_rate<+20%'] });
    await world.until(id, ({ state }) => state === 'watching');
    await postgres.kill();
    expectUntouched(await world.more(60), [SAME, FAILS]);
    world.failEvery = 1;
    const stoodIn = (): boolean =>
      [0, 1].every((server) =>
        world.answers.slice(-40).some((one) => one.server === server && one.fallbackFrom === 'candidate'),
      );
    await expect.poll(stoodIn, { timeout: 10_000 }).toBe(true);
    expectFallenBack(await world.more(60));
    await postgres.startAgain();
    const ended = await world.until(id, ({ state }) => state === 'rolled_back');
    world.failEvery = 0;
    expect(ended.reason).toMatch(/^breaker is [12], allowed 0/);
    expect(ended.weights).toEqual({ stable: 100 });
  });
});

function expectFallenBack(answers: readonly { readonly status: number; readonly version: number | undefined }[]): void {
  expect(answers.length).toBeGreaterThan(10);
  expect(answers.filter(({ status, version }) => status !== 200 || version === FAILS)).toEqual([]);
}
