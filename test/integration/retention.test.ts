// Retention with real ingestion, a real store and a real log: what goes is missed by nobody, and gone for everyone.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_DAY, MICROS_PER_HOUR, type Micros } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { readableCoverage } from '../../src/offline/facts/log-rows.ts';
import { openFacts } from '../../src/offline/facts/open-facts.ts';
import { tidySourceFolder } from '../../src/offline/facts/tidy-log-cache.ts';
import { auditTrainingSet, createTrainingSet, keepLog, type OfflineDeps, pruneLog } from '../../src/offline/index.ts';
import { NOW, openPushesWorld, type PushesWorld, sale } from '../support/materialize-pushes.ts';
import { endWriter, fields, TYPES, writeCuts, writeParquet } from '../support/offline-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const HOUR = MICROS_PER_HOUR;
const DAY = MICROS_PER_DAY;
const [lmdb] = onlineStoreKinds();

describe('retention', () => {
  let world: PushesWorld;
  afterEach(() => world.close());

  const prune = async (retentionMicros?: Micros, dryRun = false) =>
    (await pruneLog({ ...world.deps, retentionMicros, marginMicros: 0 }, { dryRun })).writers;
  const source = () => world.manifest.sources['sales'] as SourceSpec;
  const logged = async () => (await world.log.contents()).reduce((sum, { rows }) => sum + (rows?.get('sales') ?? 0), 0);
  /** A training set of each shop's features. */
  const train = async (name: string, spine: string, deps: OfflineDeps = world.deps) => {
    const request = { service: 'all', spine, timestamp: 't', labels: [], boundary: 'at' } as const;
    return createTrainingSet(deps, { ...request, out: join(world.directory, name) });
  };
  const readBoth = async () => [await world.read('a'), await world.read('b')];
  /** Prices of the log's rows that a machine counts. */
  const prices = async (deps: OfflineDeps) => {
    const connection = await deps.duckdb.connect();
    try {
      const coverage = await readableCoverage(deps.log);
      const request = { snapshot: null, boundary: -Infinity, coverage };
      const { relation } = await openFacts(connection, source(), deps, request);
      const read = await connection.runAndReadAll(`SELECT price, __hr_row FROM ${relation} ORDER BY __hr_row`);
      expect(read.getRows().map(([, row]) => Number(row) - 2 ** 52)).toEqual(read.getRows().map((_, i) => i));
      return read.getRows().map(([price]) => price);
    } finally {
      connection.closeSync();
    }
  };

  describe('where files bring what was pushed', () => {
    beforeEach(async () => {
      world = await openPushesWorld(lmdb as NonNullable<typeof lmdb>);
      await world.file('sales-0.parquet', [sale('a', NOW - DAY, 1)]);
      await world.run();
    });
    /** Pushes, brings the same by file, and runs: the boundary is then there. */
    const liveADay = async (day: number) => {
      const sold = [sale('a', world.clock.now - HOUR, day), sale('b', world.clock.now, 10 * day)];
      await world.push(...sold);
      world.clock.now += DAY;
      await world.file(`sales-${day}.parquet`, sold);
      await world.run();
    };

    it('takes what two runs found in files, and no read sees a difference, then or after any later run', async () => {
      await liveADay(1);
      expect(await logged()).toBe(2);
      // Its copy came with the last run alone.
      expect((await prune()).map(({ through }) => through)).toEqual([0]);
      await liveADay(2);
      const before = await readBoth();
      const planned = await prune(undefined, true);
      expect(planned).toMatchObject([{ writer: 1, from: 1, stays: { why: 'new', source: 'sales' } }]);
      expect(await logged()).toBe(4);
      expect(await prune()).toEqual(planned);
      expect(await logged()).toBe(2);
      expect(await readBoth()).toEqual(before);
      await world.run({ incremental: false });
      expect(await readBoth()).toEqual(before);
      await liveADay(3);
      await prune();
      expect(await logged()).toBe(2);
      await world.run({ incremental: false });
      expect(await world.read('a')).toMatchObject({ count: 4n, sum: 7, last: 3 });
      expect(await world.read('b')).toMatchObject({ count: 3n, sum: 60, last: 30 });
    });

    it('changes no training set: the same inputs give the same id, and the audit is clean', async () => {
      await liveADay(1);
      await liveADay(2);
      await world.push(sale('a', world.clock.now, 9));
      await world.run();
      const spine = join(world.directory, 'spine.parquet');
      const columns = fields({ shop: TYPES.string, t: TYPES.timestamp });
      const connection = await world.deps.duckdb.connect();
      const rows = ['a', 'b'].flatMap((shop) => [0, 1, 2].map((days) => ({ shop, t: NOW + days * DAY + HOUR })));
      await writeParquet(connection, spine, columns, rows);
      connection.closeSync();
      const make = (name: string) => train(name, spine);
      const before = await make('before.parquet');
      await prune();
      const removed = (await world.log.writers())[0]?.removed ?? 0;
      expect(removed).toBeGreaterThan(0);
      const after = await make('after.parquet');
      expect([after.id, after.contentHash, after.rows]).toEqual([before.id, before.contentHash, before.rows]);
      const positions = { floor: 1, writers: [{ writer: 1, cut: removed }] };
      expect(before.sources[0]?.pushed?.removed).toBeUndefined();
      expect(after.sources[0]?.pushed).toMatchObject({ rows: 1, removed: positions });
      expect(await auditTrainingSet(world.deps, after.id)).toMatchObject({ isClean: true, sampled: 6 });
    });

    it('leaves a source pushed to whose whole log is gone: its files do not count past the boundary', async () => {
      const late = { ...source(), completeAfterMicros: 2 * DAY };
      const definitions = { ...world.deps.definitions, manifest: { ...world.manifest, sources: { sales: late } } };
      await liveADay(1);
      await liveADay(2);
      const spine = `SELECT 'a' AS shop, make_timestamp(${world.clock.now}) AS t`;
      const make = async (name: string) => (await train(name, spine, { ...world.deps, definitions })).sources[0];
      const before = await make('before.parquet');
      world.clock.now += 30 * DAY;
      await prune(DAY);
      await prune(DAY);
      expect(await logged()).toBe(0);
      const after = await make('after.parquet');
      expect(after?.boundaryMicros).toBe(before?.boundaryMicros);
      expect(after?.pushed).toMatchObject({ rows: 0, removed: { writers: [{ writer: 1 }] } });
    });
  });

  describe('where pushes are kept', () => {
    beforeEach(async () => {
      world = await openPushesWorld(lmdb as NonNullable<typeof lmdb>, { kind: 'pushed', location: {}, pushes: 'keep' });
    });

    it('goes by event time, once two looks agree that it is past', async () => {
      await world.push(sale('a', NOW - 40 * DAY, 1));
      await world.run();
      await world.push(sale('a', NOW - 20 * DAY, 2), sale('a', NOW - 45 * DAY, 3));
      await world.run();
      expect((await prune())[0]?.stays).toMatchObject({ why: 'kept', source: 'sales' });
      const before = await world.read('a');
      expect(before).toMatchObject({ count: 1n, sum: 2, lastPrice: 2 });
      // A clock that is wrong once takes nothing that is young.
      world.clock.now = NOW + 300 * DAY;
      expect((await prune(30 * DAY)).map(({ through }) => through)).toEqual([2]);
      expect(await prices(world.deps)).toEqual([2, 3]);
      world.clock.now = NOW + HOUR;
      // An old event goes with the young one of its cut.
      expect((await prune(30 * DAY))[0]).toMatchObject({ from: 3, through: 2, stays: { cut: 3, why: 'new' } });
      expect(await world.read('a')).toEqual(before);
      await world.run({ incremental: false });
      expect(await world.read('a')).toEqual(before);
    });

    it('leaves what a view has no run of, and what no run covers yet', async () => {
      await world.push(sale('a', NOW - 40 * DAY, 1));
      await world.run({ views: ['sold'] });
      await prune(30 * DAY);
      expect((await prune(30 * DAY))[0]).toMatchObject({ through: 0, stays: { cut: 1, why: 'uncovered' } });
      await world.run();
      expect((await prune(30 * DAY))[0]?.stays).toBeNull();
    });

    it('is the same for a machine that has the removed cuts as Parquet, and deletes them there', async () => {
      const writer = await world.log.register();
      const cut = (...prices: number[]) => {
        const rows = prices.map((price) => ({ row: sale('a', price * DAY, price), knownMicros: 1 }));
        return { batches: [{ source: source(), rows }] };
      };
      await writeCuts(writer, [cut(1, 2), cut(3), cut(4, 5)]);
      for (const price of [6, 7, 8]) {
        const one = await world.log.register();
        await writeCuts(one, [cut(price)]);
        await endWriter(one);
      }
      const other = { ...world.deps, dataDirectory: join(world.directory, 'other') };
      expect(await prices(world.deps)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      expect(await prices(other)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      await world.log.remove(new Map([writer.writer, 2, 4].map((number) => [number, 2])));
      for (const deps of [world.deps, other, { ...world.deps, dataDirectory: join(world.directory, 'new') }]) {
        expect(await prices(deps)).toEqual([4, 5, 7]);
        // And where only a part is read, from whatever was left of the files.
        expect(await prices(deps)).toEqual([4, 5, 7]);
      }
      const folder = join(other.dataDirectory, 'log', readdirSync(join(other.dataDirectory, 'log'))[0] as string);
      const held = async () => {
        const connection = await other.duckdb.connect();
        const read = await connection.runAndReadAll(`SELECT DISTINCT c2 FROM read_parquet('${folder}/**/*.parquet')`);
        connection.closeSync();
        return read
          .getRows()
          .map(([price]) => Number(price))
          .toSorted();
      };
      expect(await held()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      const writers = await world.log.writers();
      // What has lain there long enough that no run can still be reading it.
      await tidySourceFolder(folder, writers, async () => true);
      await tidySourceFolder(folder, writers, async () => true);
      expect(await held()).toEqual([4, 5, 7]);
      expect(await prices(other)).toEqual([4, 5, 7]);
    });
  });

  it('is looked at by a materialize once an hour, which makes Parquet of every source’s cuts', async () => {
    world = await openPushesWorld(lmdb as NonNullable<typeof lmdb>, { kind: 'pushed', location: {}, pushes: 'keep' });
    await world.push(sale('a', NOW - 40 * DAY, 1));
    await world.run();
    const reads: string[] = [];
    const log: typeof world.log = {
      ...world.log,
      read(...range) {
        reads.push(range.join(' '));
        return world.log.read(...range);
      },
    };
    const dataDirectory = join(world.directory, 'new');
    const deps = { ...world.deps, log, dataDirectory, retentionMicros: 30 * DAY };
    await keepLog(deps);
    expect(reads).toEqual(['1 1 2 sales']);
    await keepLog(deps);
    expect(await logged()).toBe(1);
    world.clock.now += HOUR;
    await keepLog(deps);
    expect(await logged()).toBe(0);
    expect(reads).toHaveLength(1);
    expect(world.warnings).toEqual([]);
  });
});
