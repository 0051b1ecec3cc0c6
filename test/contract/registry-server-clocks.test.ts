// Servers whose machines' clocks differ: who is live is told by the database's clock, where machines share one.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICROS_PER_MINUTE, systemClock } from '../../src/core/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { serverState } from '../support/registries.ts';
import { skipBecause } from '../support/skips.ts';

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres) skipBecause('clocks of several machines: no Postgres on this machine');

describe.runIf(hasPostgres)('a server whose clock is wrong', () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  }, 60_000);
  afterAll(() => postgres?.stop());

  it.each([-10, 10])('by %i minutes is as live as any other', async (minutes) => {
    const url = await postgres.newDatabase();
    const dateNow = Date.now;
    const right = await openDatabase(url);
    const registry = await openRegistry(right, systemClock);
    const other = await openDatabase(url);
    // As on a machine of that time.
    Date.now = () => dateNow() + minutes * 60_000;
    try {
      const elsewhere = await openRegistry(other, { nowMicros: () => dateNow() * 1000 + minutes * MICROS_PER_MINUTE });
      await elsewhere.servers.report('wrong', serverState());
      expect((await elsewhere.servers.list()).map(({ id }) => id)).toEqual(['wrong']);
    } finally {
      Date.now = dateNow;
    }
    expect((await registry.servers.list()).map(({ id }) => id)).toEqual(['wrong']);
    await other.close();
    await right.close();
  });
});
