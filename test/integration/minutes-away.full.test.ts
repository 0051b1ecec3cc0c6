// Minutes over a registry that goes away for real: connections are cut, or say nothing, and come back.
// twin: test/contract/minutes.test.ts > are held while the database is away, and written when it is back

import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { createMinuteCollector, openMinutes, startMinuteWriter } from '../../src/monitoring/index.ts';
import { openDatabase, createSharedClock } from '../../src/storage/index.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { skipBecause } from '../support/skips.ts';
import { type Gate, openGate } from '../support/tcp-gate.ts';

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres)
  skipBecause('minutes over a registry that goes away: no initdb and postgres found (Debian: postgresql)');

let postgres: PostgresServer | undefined;
beforeAll(async () => {
  if (hasPostgres) postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.stop());

it.skipIf(!hasPostgres).each([
  ['refuses whoever comes', (gate: Gate): void => gate.refuse()],
  ['says nothing', (gate: Gate): void => gate.holdBack()],
] as const)(
  'are written whole once a database is back that %s',
  async (_how, leave) => {
    // It listens on a socket in a folder: postgres://headrace@/NAME?host=FOLDER
    const direct = (await postgres?.newDatabase()) ?? '';
    const [, name, folder] = /\/([^/?]+)\?host=(.+)$/.exec(direct) as unknown as string[];
    const gate = await openGate(() => `${decodeURIComponent(folder ?? '')}/.s.PGSQL.5432`);
    const database = await openDatabase(`postgres://headrace@127.0.0.1:${gate.port}/${name}?query_timeout=500`);
    const watching = await openDatabase(direct);
    try {
      const clock = createSharedClock(database, systemClock);
      const collector = createMinuteCollector(clock.now);
      const given = { database, collector, clock, server: 's1', logger: silentLogger, tickMs: 0 };
      const writer = startMinuteWriter(given);
      const stable = { variant: 'stable', version: 1, arm: 'a', revision: 1 };
      const arm = collector.arm({ endpoint: 'eta', ...stable, hasUnits: true });
      let counted = 0;
      const answer = (): void => {
        collector.tick();
        arm.row(700, false, ++counted);
        arm.answered(700, 1);
      };
      const written = async (): Promise<number> => {
        const minutes = await openMinutes(watching, systemClock);
        return (await minutes.read({ endpoint: 'eta', fromMicros: 0 })).reduce((sum, { rows }) => sum + rows, 0);
      };
      answer();
      await writer.flush();
      expect(await written()).toBe(1);
      leave(gate);
      gate.cut();
      for (let i = 0; i < 2; i++) {
        answer();
        await writer.flush();
      }
      expect(writer.figures().waiting).toBeGreaterThan(0);
      expect(await written()).toBe(1);
      gate.admit();
      gate.cut();
      answer();
      const flushed = async () => {
        await writer.flush();
        return written();
      };
      await expect.poll(flushed, { timeout: 20_000 }).toBe(4);
      expect(writer.figures()).toEqual({ waiting: 0, dropped: 0 });
    } finally {
      gate.admit();
      gate.cut();
      await database.close();
      await watching.close();
      gate.end();
    }
  },
  60_000,
);
