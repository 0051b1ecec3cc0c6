// The fleet in one process: workers that run tasks inline, a driver, and the rows that they share. Deaths of processes are in
// fleet.full.test.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeadraceError, type Logger, silentLogger } from '../../src/core/index.ts';
import type { StepAction } from '../../src/definitions/index.ts';
import { readWaits } from '../../src/orchestrator/committed/run-waits.ts';
import type { FleetTables } from '../../src/orchestrator/executors/fleet/tables.ts';
import { migrateFleet, openFleetExecutor, serveFleet, type ServeFleetOptions } from '../../src/orchestrator/index.ts';
import { type Database, type ObjectStore, openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { type DatabaseFaults, withFaults } from '../support/database-faults.ts';
import { databasesByTier } from '../support/databases.ts';
import { createWorld, type ExecutorWorld } from '../support/executor-world.ts';
import { createInlineExecutor } from '../support/inline-executor.ts';
import { rows } from '../support/tier.ts';

const RUN = 'fleet-run';
const SOON = { timeout: 20_000, interval: 20 };
/** Never ends by itself. */
const HANGS = 'module.exports = () => new Promise(() => {});';

describe.each(databasesByTier('the fleet'))('a fleet on $name', (databases) => {
  let directory = '';
  let url = '';
  let objects: ObjectStore;
  let ours: Database;
  let opened: Database[] = [];
  let worlds: ExecutorWorld[] = [];
  let workers: { readonly drain: AbortController; readonly serving: Promise<void> }[] = [];

  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'headrace-fleet-'));
    url = await databases.newUrl();
    objects = openObjectStore(`file:${join(directory, 'artifacts')}`);
    ours = await migrateFleet(await open());
  });
  afterEach(async () => {
    for (const { drain } of workers) drain.abort();
    for (const { executor } of worlds) await executor.close();
    await Promise.all(workers.map(({ serving }) => serving));
    for (const database of opened) await database.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    [opened, worlds, workers] = [[], [], []];
  });

  const open = async (): Promise<Database> => {
    const database = await openDatabase(url);
    opened.push(database);
    return database;
  };
  const drive = async (driver = 'driver', logger: Logger = silentLogger): Promise<ExecutorWorld> => {
    const executor = await openFleetExecutor({ driver, run: RUN, database: await open(), objects, logger });
    const world = createWorld({ directory, driver, objects, executor });
    worlds.push(world);
    return world;
  };
  /** A worker that serves; resolves once it does. */
  const serve = async (options: Partial<ServeFleetOptions> = {}, around = (database: Database) => database) => {
    const drain = new AbortController();
    const names: string[] = [];
    const serving = serveFleet({
      database: around(await open()),
      openExecutor: async () =>
        createInlineExecutor({ objects, workDirectory: directory, builtIns: { predict: async (_, { item }) => item } }),
      slots: 2,
      memoryBytes: 2 ** 36,
      hasProject: false,
      logger: silentLogger,
      drain: drain.signal,
      onServe: (name) => names.push(name),
      ...options,
    });
    workers.push({ drain, serving });
    await Promise.race([
      vi.waitFor(() => expect(names).toHaveLength(1), SOON),
      serving.then(() => Promise.reject(new Error('the worker ended'))),
    ]);
    return { drain, names, serving };
  };
  /** As whoever looks does once a lease is over. */
  const endLeases = async (): Promise<void> => {
    await ours.tables<FleetTables>().updateTable('fleet_workers').set({ until: 0 }).execute();
  };
  const endsOf = (world: ExecutorWorld) =>
    world.events.filter(({ kind }) => kind !== 'started').map(({ attempt, kind }) => `${attempt} ${kind}`);

  it('gives back what a worker had whose lease is over, and takes nothing of it that the worker tells later', async () => {
    const world = await drive();
    const gate = join(directory, 'gate');
    const code = `module.exports = async (_, { attempt }) => { while (attempt === 1 && !require('fs').existsSync('${gate}')) await new Promise((done) => setTimeout(done, 5)); return attempt; };`;
    const spec = await world.order(await world.task(code));
    const { names } = await serve();
    const slice = world.slice(spec);
    await world.executor.submit([slice]);
    await vi.waitFor(() => expect(world.events.map(({ kind }) => kind)).toEqual(['started']), SOON);
    await endLeases();
    expect(await world.ends(slice)).toMatchObject([
      { kind: 'lost', reason: expect.stringMatching(/worker that ran it is gone/) },
    ]);
    writeFileSync(gate, '');
    await vi.waitFor(() => expect(names).toHaveLength(2), SOON);
    const again = world.slice(spec, 1, 2);
    await world.executor.submit([again]);
    expect(await world.value((await world.ends(again))[0])).toBe(2);
    expect(endsOf(world)).toEqual(['1 lost', '2 succeeded']);
  });

  it('has more room the more workers there are, and says where nobody serves it', async () => {
    const warned: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => void warned.push(message) };
    const world = await drive('driver', logger);
    const room = (): number => world.executor.room({ action: 'shell' }).tasks;
    const waits = async () => [...(await readWaits(objects, RUN, world.driver))];
    expect(room()).toBe(1);
    const slice = world.slice(await world.order(await world.task('module.exports = () => 1;')));
    await world.executor.submit([slice]);
    await vi.waitFor(async () => expect(await waits()).toHaveLength(1), SOON);
    const why = (await waits())[0]?.[1] ?? '';
    expect(why).toMatch(/no worker serves the fleet; start one by `headrace worker`/);
    expect(warned).toEqual([why]);
    await serve();
    expect(await world.ends(slice)).toMatchObject([{ kind: 'succeeded' }]);
    await vi.waitFor(async () => expect([room(), await waits()]).toEqual([2, []]), SOON);
    await serve();
    await vi.waitFor(() => expect(room()).toBe(4), SOON);
  });

  it('leaves batches to workers that have the project, and says that there is none', async () => {
    const world = await drive();
    const rowsOf = {
      endpoint: 'shops',
      input: 's3://bucket/rows.parquet',
      timestamp: 'at',
      format: 'parquet',
    } as const;
    const batch: StepAction = { kind: 'predict', ...rowsOf, onError: 'fail', slices: 70 };
    const order = await world.order(batch, { step: 'scored', foreach: { kind: 'range', start: 0, end: 70 } });
    // More than a worker looks at in one go.
    const tasks = Array.from({ length: 70 }, (_, index) => [{ index, attempt: 1 }]);
    const waiting = tasks.map((own) => ({ ...world.slice(order), tasks: own }));
    await serve();
    await world.executor.submit(waiting);
    const plain = world.slice(await world.order(await world.task('module.exports = () => 1;')));
    await world.executor.submit([plain]);
    // It does what it can, behind what it can't.
    expect(await world.ends(plain)).toMatchObject([{ kind: 'succeeded' }]);
    expect(world.events.filter(({ slice }) => slice !== plain.id)).toEqual([]);
    await vi.waitFor(async () => {
      const told = (await readWaits(objects, RUN, world.driver)).get('scored');
      expect(told).toContain('no worker of the fleet has the project');
    }, SOON);
    await serve({ hasProject: true });
    const ends = await Promise.all(waiting.map((slice) => world.ends(slice)));
    expect(await Promise.all(ends.map(([end]) => world.value(end)))).toEqual(waiting.map((_, index) => index));
  });

  it('lets what runs end before a worker goes that is told to, which takes nothing more', async () => {
    const world = await drive();
    const gate = join(directory, 'gate');
    const code = `module.exports = async () => { while (!require('fs').existsSync('${gate}')) await new Promise((done) => setTimeout(done, 5)); };`;
    const worker = await serve();
    const slice = world.slice(await world.order(await world.task(code)));
    await world.executor.submit([slice]);
    await vi.waitFor(() => expect(world.events).toHaveLength(1), SOON);
    worker.drain.abort();
    await vi.waitFor(() => expect(world.executor.room({ action: 'shell' }).tasks).toBe(0), SOON);
    const later = world.slice(await world.order(await world.task('module.exports = () => 1;')));
    await world.executor.submit([later]);
    writeFileSync(gate, '');
    await worker.serving;
    expect(await world.ends(slice)).toMatchObject([{ kind: 'succeeded' }]);
    expect(world.events.some((event) => event.slice === later.id)).toBe(false);
    await serve();
    expect(await world.ends(later)).toMatchObject([{ kind: 'succeeded' }]);
  });

  it('goes on with what runs where another driver adopts it, whose it is from then on', async () => {
    const [first, second] = [await drive('first'), await drive('second')];
    await serve();
    const slices = [
      first.slice(await first.order(await first.task(HANGS))),
      first.slice(await first.order(await first.task('module.exports = () => 7;'))),
    ] as const;
    const handles = await first.executor.submit(slices);
    expect(await first.ends(slices[1])).toMatchObject([{ kind: 'succeeded' }]);
    const adopted = await second.executor.adopt([...handles, { slice: 'never', at: 'fleet' }]);
    expect(adopted).toEqual(['running', 'running', 'gone']);
    // What the first one cancels once it wakes is no longer its own.
    await first.executor.cancel(handles.slice(0, 1));
    expect(await second.value((await second.ends(slices[1]))[0])).toBe(7);
    expect(second.events.filter(({ slice, kind }) => slice === slices[0].id && kind !== 'started')).toEqual([]);
    await second.executor.cancel(handles.slice(0, 1));
    const slicesNow = await ours.tables<FleetTables>().selectFrom('fleet_slices').select(['id', 'state']).execute();
    expect(slicesNow.find(({ id }) => id === slices[0].id)?.state).not.toBe('running');
  });

  it('a worker that lost its lease waits for a database that is away, and serves again', async () => {
    const faults: DatabaseFaults = { diesAt: 0, steps: 0 };
    const warned: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn(_: unknown, text?: string) {
        warned.push(text ?? '');
        // Away from the loss of the lease until it was asked for another.
        faults.isAway = text?.includes('lease of this worker ran out') === true;
      },
    };
    const { names } = await serve({ logger, leaseMs: 600 }, (database) => withFaults(database, faults));
    await ours.tables<FleetTables>().deleteFrom('fleet_workers').execute();
    await vi.waitFor(() => expect(names).toHaveLength(2), SOON);
    expect(warned).toEqual([
      expect.stringContaining('lease of this worker ran out'),
      expect.stringContaining('could not be reached for a new lease'),
    ]);
  });

  const first = { what: 'the first', isLost: (turn: number) => turn < 1 };
  const second = { what: 'every second one', isLost: (turn: number) => turn % 2 === 0 };
  const three = { what: 'the first three', isLost: (turn: number) => turn < 3 };
  it.each(rows([first], [second, three]))(
    'each task runs once and is told once, though $what of its turns has no answer',
    async ({ isLost }) => {
      let [turns, lost] = [0, 0];
      const isThisLost = (): boolean => isLost(turns++) && ++lost > 0;
      const world = await drive();
      await serve({}, (database) => withLostAnswers(database, isThisLost));
      const spec = await world.order(await world.task('module.exports = (_, { index }) => index;'), {
        foreach: { kind: 'range', start: 0, end: 3 },
      });
      const slices = Array.from({ length: 4 }, () => world.slice(spec, 3));
      for (const slice of slices) await world.executor.submit([slice]);
      for (const slice of slices)
        expect((await world.ends(slice)).map(({ kind }) => kind)).toEqual(['succeeded', 'succeeded', 'succeeded']);
      expect(endsOf(world)).toHaveLength(12);
      expect(lost).toBeGreaterThan(0);
    },
  );
});

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
