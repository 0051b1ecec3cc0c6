// The database is away for longer than a server that says nothing is taken for live, and than figures may be late: from all
// servers, or from one of two. Shorter absences: test/contract/rollouts.test.ts and minutes.test.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/storage/index.ts';
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
import { type Gate, openGate } from '../support/tcp-gate.ts';

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres) skipBecause('a rollout whose database is away for long: no initdb and postgres found');

const AWAY_MS = 45_000;

describe.runIf(hasPostgres)('a rollout', () => {
  let postgres: PostgresServer;
  let world: RolloutServers;
  let gate: Gate;
  let url: string;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres?.stop());
  const open = async (): Promise<void> => {
    url = await postgres.newDatabase();
    // It listens on a socket in a folder: postgres://headrace@/NAME?host=FOLDER
    const [, name, folder] = /\/([^/?]+)\?host=(.+)$/.exec(url) as unknown as string[];
    gate = await openGate(() => `${decodeURIComponent(folder ?? '')}/.s.PGSQL.5432`);
    const behind = `postgres://headrace@127.0.0.1:${gate.port}/${name}?query_timeout=2000`;
    world = await openRolloutServers({
      env: { HEADRACE_REGISTRY_URL: `${url}&query_timeout=2000` },
      envs: () => [{}, { HEADRACE_REGISTRY_URL: behind }],
    });
    world.ask();
  };
  afterEach(async () => {
    gate.admit();
    gate.cut();
    await world.close();
    gate.end();
  });
  const servers = async (id: string) => (await world.status(id)).guardrails.find(({ metric }) => metric === 'servers');
  const rows = async (): Promise<number> => {
    const database = await openDatabase(url);
    try {
      return await countedRows(database);
    } finally {
      await database.close();
    }
  };

  it('takes no step while one server is cut off from the database, and then goes on', async () => {
    await open();
    const { id } = await world.start({ candidate: SAME, steps: [50, 100], hold: '40s', bake: '1s' });
    await world.until(id, ({ state }) => state === 'watching');
    gate.refuse();
    expectUntouched(await world.during(() => sleep(AWAY_MS)), [STABLE, SAME]);
    expect(await servers(id)).toMatchObject({
      verdict: 'blind',
      evidence: { why: expect.stringContaining(` ${world.servers[1]?.process.pid}`) },
    });
    expect(await world.status(id)).toMatchObject({ state: 'watching', step: 1 });
    gate.admit();
    await world.until(id, ({ state }) => state === 'promoted', 90_000);
    await world.rest();
    expect(world.answers.filter(({ status }) => status !== 200)).toEqual([]);
    await expect.poll(rows, { timeout: 30_000 }).toBe(world.answers.length);
  });

  it.each([
    ['hung', async (): Promise<void> => postgres.pause(), async (): Promise<void> => postgres.goOn()],
    ['was killed', (): Promise<void> => postgres.kill(), (): Promise<void> => postgres.startAgain()],
  ] as const)('goes back, by what came while its database %s', async (_how, leave, comeBack) => {
    await open();
    const { id } = await world.start({ candidate: FAILS, steps: [50, 100], hold: '10s' });
    await world.until(id, ({ state }) => state === 'watching');
    await leave();
    // Too few of a server's requests for its breaker, and enough for the guard.
    world.failEvery = 6;
    await sleep(AWAY_MS);
    await comeBack();
    const ended = await world.until(id, ({ state }) => state === 'rolled_back', 60_000);
    expect(ended.history.map(({ to }) => to)).toEqual([
      'pending',
      'preparing',
      'settling',
      'watching',
      'rolling_back',
      'rolled_back',
    ]);
    expect(ended.reason).toMatch(/^error_rate, allowed \+20%/);
  });
});
