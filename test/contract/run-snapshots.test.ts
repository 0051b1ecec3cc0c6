// Which files each run of a version read: kept as differences, read back as they were.

import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openRuns, type Runs, type SnapshotFile } from '../../src/online/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { databasesByTier } from '../support/databases.ts';

const VERSION = 'v@1';

describe.each(databasesByTier('snapshots of runs'))('snapshots of runs on $name', (databases) => {
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());

  const openNew = async (): Promise<Database> => {
    const database = await openDatabase(await databases.newUrl());
    onTestFinished(() => database.close());
    return database;
  };
  /** A run that read these; gives its number. */
  const open = async (runs: Runs, snapshot: readonly SnapshotFile[], version = VERSION): Promise<number> => {
    const asked = { proposed: 0, asOf: 0, carriesWaiting: false, fingerprint: '', askedMicros: 0 };
    const run = await runs.ask({ view: 'v', version, ...asked });
    const opening = { boundary: 0, coverage: { floor: 1, cuts: new Map() }, isFull: true, since: 0 };
    await runs.open(run, { snapshot, ...opening });
    return run.number;
  };
  const fileOf = (path: string, etag = 'e'): SnapshotFile => ({ path, size: 1, etag });
  const rowsOf = async (database: Database): Promise<number> => {
    const counted = sql<{ rows: number }>`select count(*) as rows from online_run_files`;
    return Number((await counted.execute(database.tables())).rows[0]?.rows);
  };

  it('are those of each run, whatever came, went, changed and came back, until they need not be kept', async () => {
    const runs = await openRuns(await openNew());
    let version = 0;
    const files = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2')), {
      selector: ([path]) => path,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(files, { minLength: 1, maxLength: 6 }), fc.nat(6), async (lists, keptAt) => {
        const own = `v@${++version}`;
        const expected = new Map<number, readonly SnapshotFile[]>();
        for (const list of lists) {
          const snapshot = list.map(([path, etag]) => fileOf(path, etag)).sort((a, b) => (a.path < b.path ? -1 : 1));
          expected.set(await open(runs, snapshot, own), snapshot);
        }
        const numbers = [...expected.keys()];
        expect(await runs.snapshots(own, numbers)).toEqual(expected);
        const from = numbers[keptAt] ?? (numbers.at(-1) as number);
        await runs.keepSnapshotsFrom(own, from);
        const left = await runs.snapshots(own, numbers);
        for (const [number, snapshot] of expected) {
          // Those before may be gone, and never are others.
          if (number >= from || left.has(number)) expect(left.get(number)).toEqual(snapshot);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('cost a row for each file that came, and none where the same are there', async () => {
    const database = await openNew();
    const runs = await openRuns(database);
    const files = Array.from({ length: 2500 }, (_, i) => fileOf(`part-${i}`));
    const first = await open(runs, files.slice(0, 2499));
    await open(runs, files.slice(0, 2499));
    const last = await open(runs, files);
    expect(await rowsOf(database)).toBe(2500);
    const found = await runs.snapshots(VERSION, [first, last]);
    expect([...found.values()].map(({ length }) => length)).toEqual([2499, 2500]);
  });

  it('stay for earlier runs as long as no file of theirs has gone', async () => {
    const runs = await openRuns(await openNew());
    const [first, second] = [await open(runs, [fileOf('a')]), await open(runs, [fileOf('a'), fileOf('b')])];
    await runs.keepSnapshotsFrom(VERSION, second);
    expect((await runs.snapshots(VERSION, [first])).get(first)).toEqual([fileOf('a')]);
    const third = await open(runs, [fileOf('b')]);
    await runs.keepSnapshotsFrom(VERSION, third);
    expect([...(await runs.snapshots(VERSION, [first, second, third])).keys()]).toEqual([third]);
  });

  it('of a version that was dropped are those of its runs from then on', async () => {
    const runs = await openRuns(await openNew());
    const [gone, other] = [await open(runs, [fileOf('a')]), await open(runs, [fileOf('a')], 'w@1')];
    await runs.dropSnapshots(VERSION);
    const back = await open(runs, [fileOf('a')]);
    expect([...(await runs.snapshots(VERSION, [gone, back]))]).toEqual([[back, [fileOf('a')]]]);
    expect((await runs.snapshots('w@1', [other])).get(other)).toEqual([fileOf('a')]);
  });

  it('that lay in the rows of an earlier Headrace are taken over, the last ones', async () => {
    const database = await openNew();
    const runs = await openRuns(database);
    const numbers: number[] = [];
    for (let i = 0; i < 5; i++) numbers.push(await open(runs, []));
    // As they were before.
    await sql`drop table online_run_files`.execute(database.tables());
    await sql`drop table online_run_snapshots`.execute(database.tables());
    await sql`delete from headrace_migrations where name = '003-run-files'`.execute(database.tables());
    for (const [i, number] of numbers.entries()) {
      const { details } = (
        await sql<{ details: string }>`select details from online_runs where number = ${number}`.execute(
          database.tables(),
        )
      ).rows[0] as { details: string };
      const old = JSON.stringify({ ...JSON.parse(details), snapshot: [fileOf('a'), fileOf(`b${i}`)] });
      await sql`update online_runs set details = ${old} where number = ${number}`.execute(database.tables());
    }
    const now = await openRuns(database);
    const found = await now.snapshots(VERSION, numbers);
    expect([...found.keys()]).toEqual(numbers.slice(2));
    expect(found.get(numbers[3] as number)).toEqual([fileOf('a'), fileOf('b3')]);
    expect((await now.ofVersion(VERSION)).every((row) => !('snapshot' in row))).toBe(true);
  });
});
