// The clocks of two machines are set an hour on and back under a rollout, the one's that runs the controller and the other's: what they
// count goes to the minutes that the database's clock says, each row once, and nobody is taken for gone or late for it.
// twin: test/contract/rollouts.test.ts > is not moved on by a clock that jumps
// twin: test/contract/minutes.test.ts > count all that was counted, when the clock is set back and on

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICROS_PER_MINUTE, MICROS_PER_SECOND, systemClock } from '../../src/core/index.ts';
import { openMinutes } from '../../src/monitoring/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { expectUntouched, openRolloutServers, type RolloutServers, SAME, STABLE } from '../support/rollout-servers.ts';
import { skipBecause } from '../support/skips.ts';

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres) skipBecause('a rollout over clocks that jump: no initdb and postgres found (Debian: postgresql)');

const CLOCK = fileURLToPath(new URL('../support/clock-of-file.mjs', import.meta.url));
const HOUR_MS = 3_600_000;

describe.runIf(hasPostgres)('a rollout of servers whose clocks jump', { timeout: 60_000 }, () => {
  let postgres: PostgresServer;
  let world: RolloutServers;
  let database: Database;
  let registry: Registry;
  let setClock = (_server: number, _offMs: number): void => {};
  const startMicros = systemClock.nowMicros();
  beforeAll(async () => {
    postgres = await startPostgres();
    const url = await postgres.newDatabase();
    database = await openDatabase(url);
    world = await openRolloutServers({
      env: { HEADRACE_REGISTRY_URL: url },
      envs(project) {
        setClock = (server, offMs) => void project.write(`clock-${server}`, String(offMs));
        return [0, 1].map((server) => {
          setClock(server, 0);
          return { HEADRACE_TEST_CLOCK: project.file(`clock-${server}`), NODE_OPTIONS: `--import=${CLOCK}` };
        });
      },
    });
    registry = await openRegistry(database, systemClock);
  }, 90_000);
  afterAll(async () => {
    await world?.close();
    await database?.close();
    await postgres?.stop();
  });

  it('counts as before, by the database’s clock', async () => {
    world.ask();
    const { id } = await world.start({ candidate: SAME, steps: [50, 100], hold: '10m' });
    await world.until(id, ({ state }) => state === 'watching');
    let fewest = Infinity;
    const meanwhile = await world.during(async () => {
      for (const [server, offMs] of [
        [1, HOUR_MS],
        [1, -HOUR_MS],
        [0, HOUR_MS],
        [0, -HOUR_MS],
      ] as const) {
        setClock(server, offMs);
        for (let look = 0; look < 12; look++) {
          fewest = Math.min(fewest, (await registry.servers.list()).length);
          const { state, guardrails } = await world.status(id);
          expect(state).toBe('watching');
          expect(guardrails.filter(({ verdict }) => verdict === 'breached' || verdict === 'blind')).toEqual([]);
          await sleep(100);
        }
      }
    });
    expect(fewest).toBe(2);
    expectUntouched(meanwhile, [STABLE, SAME]);
    for (const server of [0, 1]) setClock(server, 0);
    await world.rest();
    const minutes = await openMinutes(database, systemClock);
    const rows = async () =>
      (await minutes.read({ endpoint: 'checkout', fromMicros: 0 })).filter(({ kind }) => kind === 'arm');
    const counted = async (): Promise<number> => (await rows()).reduce((sum, row) => sum + row.rows, 0);
    await expect.poll(counted, { timeout: 15_000 }).toBe(world.answers.length);
    const at = (await rows()).map(({ minute }) => minute);
    expect(Math.min(...at)).toBeGreaterThanOrEqual(startMicros - MICROS_PER_MINUTE);
    expect(Math.max(...at)).toBeLessThanOrEqual(systemClock.nowMicros() + MICROS_PER_SECOND);
    expect((await world.status(id)).history.at(-1)).toMatchObject({ to: 'watching' });
  });
});
