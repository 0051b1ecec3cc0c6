// A worker of the fleet whose database commits what it asked for and does not answer: what it has claimed it runs, and what it has told
// stays told once.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HeadraceError, type Logger, silentLogger } from '../../src/core/index.ts';
import type { FleetTables } from '../../src/orchestrator/executors/fleet/tables.ts';
import { migrateFleet, openFleetExecutor, serveFleet, type ServeFleetOptions } from '../../src/orchestrator/index.ts';
import { type Database, openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { type DatabaseFaults, withFaults } from '../support/database-faults.ts';
import { createWorld } from '../support/executor-world.ts';
import { openTestExecutor } from '../support/test-executor.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headrace-fleet-lost-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

function serve(database: Database, drain: AbortController, options: Partial<ServeFleetOptions> = {}): Promise<void> {
  return serveFleet({
    database,
    openExecutor: async (driver) => openTestExecutor(directory, { driver }),
    slots: 2,
    memoryBytes: 2 ** 36,
    hasProject: false,
    logger: silentLogger,
    drain: drain.signal,
    ...options,
  });
}

/** Commits, and then does not say so, where `isLost` says it. */
function withLostAnswers(database: Database, isLost: () => boolean): Database {
  const lossy: Database = {
    ...database,
    async transaction<T, R>(work: (trx: Kysely<T>) => Promise<R>, options?: Parameters<Database['transaction']>[1]) {
      const done = await database.transaction<T, R>(work, options);
      if (isLost()) throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the connection ended before the answer came');
      return done;
    },
    async migrate(...given) {
      await database.migrate(...given);
      return lossy;
    },
  };
  return lossy;
}

it('a worker that lost its lease waits for a database that is away, and serves again', async () => {
  const url = `sqlite:${join(directory, 'registry.db')}`;
  const [ours, theirs] = [await openDatabase(url), await openDatabase(url)];
  await migrateFleet(theirs);
  const faults: DatabaseFaults = { diesAt: 0, steps: 0 };
  const drain = new AbortController();
  const names: string[] = [];
  const warned: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn(_: unknown, text?: string) {
      warned.push(text ?? '');
      // Away from the loss of the lease until it was asked for another.
      faults.isAway = text?.includes('lease of this worker ran out') === true;
    },
  };
  const serving = serve(withFaults(theirs, faults), drain, {
    logger,
    leaseMs: 600,
    onServe: (name) => names.push(name),
  });
  await vi.waitFor(() => expect(names).toHaveLength(1), { timeout: 20_000 });
  // As whoever looks does once a lease is over.
  await ours.tables<FleetTables>().deleteFrom('fleet_workers').execute();
  const served = vi.waitFor(() => expect(names).toHaveLength(2), { timeout: 20_000 });
  await Promise.race([served, serving.then(() => Promise.reject(new Error('the worker ended')))]);
  expect(warned).toEqual([
    expect.stringContaining('lease of this worker ran out'),
    expect.stringContaining('could not be reached for a new lease'),
  ]);
  drain.abort();
  await serving;
  await Promise.all([ours.close(), theirs.close()]);
});

it.each([
  { what: 'every second one', isLost: (turn: number) => turn % 2 === 0 },
  { what: 'the first three', isLost: (turn: number) => turn < 3 },
])('each task runs once and is told once, though $what of its turns has no answer', async ({ isLost }) => {
  const url = `sqlite:${join(directory, 'registry.db')}`;
  const [ours, theirs] = [await openDatabase(url), await openDatabase(url)];
  const objects = openObjectStore(`file:${join(directory, 'artifacts')}`);
  const drain = new AbortController();
  let turns = 0;
  const serving = serve(
    withLostAnswers(theirs, () => isLost(turns++)),
    drain,
  );
  const driver = 'lost-answers';
  const executor = await openFleetExecutor({ driver, run: 'a', database: ours, objects, logger: silentLogger });
  const made = createWorld({ directory, driver, objects, executor });
  const spec = await made.order(await made.task('module.exports = (_, { index }) => index;'), {
    foreach: { kind: 'range', start: 0, end: 3 },
  });
  const slices = Array.from({ length: 4 }, () => made.slice(spec, 3));
  for (const slice of slices) await made.executor.submit([slice]);
  for (const slice of slices) {
    const ends = await Promise.race([made.ends(slice), serving.then(() => 'the worker ended')]);
    expect(ends).toMatchObject([{ kind: 'succeeded' }, { kind: 'succeeded' }, { kind: 'succeeded' }]);
  }
  expect(made.events.filter(({ kind }) => kind !== 'started')).toHaveLength(12);
  expect(turns).toBeGreaterThan(3);
  drain.abort();
  await serving;
  await executor.close();
  await Promise.all([ours.close(), theirs.close()]);
});
