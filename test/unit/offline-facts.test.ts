// A source's facts: the rows of its files and the entries of its log, each once, up to a boundary and past it.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Micros, Row } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import type { EventLog, LogWriter, PushedRow, WriterRow } from '../../src/events/index.ts';
import type { Facts } from '../../src/offline/facts/facts.ts';
import { type LogCacheDeps, logFiles } from '../../src/offline/facts/log-cache.ts';
import { readableCoverage } from '../../src/offline/facts/log-rows.ts';
import { openLogRows } from '../../src/offline/facts/open-facts.ts';
import { ALL_EVENTS } from '../../src/offline/sources/event-range.ts';
import { pinSource } from '../../src/offline/sources/pin-source.ts';
import { proposeBoundary } from '../../src/offline/facts/propose-boundary.ts';
import { type Coverage, NOTHING_COVERED } from '../../src/online/index.ts';
import { fields, endWriter, sourceOf, TYPES, writeCuts, worldOfEach } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';

const COLUMNS = fields({ at: TYPES.timestamp, n: TYPES.int32, file_row_number: TYPES.string });
const later = { kind: 'after', micros: 3 } as const;

const world = worldOfEach();

const kept = sourceOf('kept', 'f*.parquet', COLUMNS, { pushes: 'keep', knownTime: later });
const passing = sourceOf('passing', 'f*.parquet', COLUMNS, { knownTime: later });
const only = sourceOf('only', '', COLUMNS, { kind: 'pushed', location: {}, pushes: 'keep' });

const row = (n: number, at: Micros | null): Row => ({ n, at, file_row_number: `row ${n}` });
const pushedRow = (n: number, at: Micros | null, knownMicros: Micros) => ({ row: row(n, at), knownMicros });
const file = (name: string, rows: readonly Row[]) => world.put(name, COLUMNS, rows);
const upTo = (...cuts: [number, number][]): Coverage => ({ floor: 0, cuts: new Map(cuts) });
const floor = (writer: number): Coverage => ({ floor: writer, cuts: new Map() });

const facts = async <T>(
  source: SourceSpec,
  given: { readonly boundary?: Micros; readonly coverage?: Coverage; readonly log?: EventLog },
  use: (facts: Facts) => Promise<T>,
): Promise<T> => {
  const { log = world.log, ...where } = given;
  const deps = { ...world.deps, log };
  return world.facts(source, use, { deps, boundary: -Infinity, coverage: await readableCoverage(log), ...where });
};

const rowsOf = (relation: string, columns: string, order = '__hr_row') =>
  world.select(`SELECT ${columns} FROM ${relation} ORDER BY ${order}`);
const numbersOf = async (relation: string) => (await rowsOf(relation, 'n')).map(([n]) => n);

describe('facts of a source that keeps its pushes', () => {
  it('are the rows of files and the entries that are not void, each once, known when the log says', async () => {
    await file('f1.parquet', [row(1, 10), row(2, null)]);
    await file('f2.parquet', [row(3, 30)]);
    const writer = await world.log.register();
    const batch = (source: SourceSpec, ...rows: PushedRow[]) => ({ source, rows });
    const first = [batch(passing, pushedRow(90, 1, 1)), batch(kept, pushedRow(4, 40, 45), pushedRow(5, 50, 49))];
    const second = [{ ...batch(kept, pushedRow(91, 1, 1)), isVoid: true }, batch(kept, pushedRow(6, null, 60))];
    await writeCuts(writer, [{ batches: first }, { batches: second }]);
    await facts(kept, {}, async ({ relation, fileRelation, logRelation, fileRows, files, log }) => {
      const columns = 'n, __hr_event, __hr_known, __hr_file, __hr_writer, __hr_cut, __hr_offset';
      expect(await rowsOf(relation, columns)).toEqual([
        [1, 10n, 13n, 0, null, null, null],
        [2, null, null, 0, null, null, null],
        [3, 30n, 33n, 1, null, null, null],
        [4, 40n, 45n, null, 1, 1, 1n],
        [5, 50n, 50n, null, 1, 1, 2n],
        [6, null, null, null, 1, 2, 4n],
      ]);
      expect(await numbersOf(fileRelation)).toEqual([1, 2, 3]);
      expect(await numbersOf(logRelation)).toEqual([4, 5, 6]);
      expect(await numbersOf(fileRows([1]))).toEqual([3]);
      expect(await rowsOf(fileRows([1]), '__hr_row')).toEqual((await rowsOf(fileRelation, '__hr_row')).slice(2));
      expect(await numbersOf(fileRows([]))).toEqual([]);
      expect(files.map(({ path }) => path)).toEqual(['f1.parquet', 'f2.parquet'].map((name) => world.path(name)));
      expect(log).toMatchObject({ writers: [{ writer: 1, cut: 2 }], rows: 3, coverage: { ...upTo([1, 2]), floor: 1 } });
      const range = 'min(__hr_row), max(__hr_row), count(DISTINCT __hr_row)';
      const [[least, most, rows] = []] = await rowsOf(relation, range, '1');
      expect([Number(least) >= 0, Number(most) < 2 ** 53, rows]).toEqual([true, true, 6n]);
    });
  });

  it('of some files only have the numbers that they have among all', async () => {
    const columns = COLUMNS.slice(0, 2);
    const plain = sourceOf('plain', 'p*.parquet', columns);
    for (const n of [1, 2, 3]) await world.put(`p${n}.parquet`, columns, [row(n, n), row(10 * n, n)]);
    await facts(plain, { boundary: Infinity }, async ({ fileRows, relation }) => {
      const all = await rowsOf(relation, 'n, __hr_row, __hr_file');
      expect(all.map(([n, , of]) => [n, of])).toEqual([1, 10, 2, 20, 3, 30].map((n, i) => [n, Math.floor(i / 2)]));
      for (const files of [[0], [2], [0, 2], [2, 1], [0, 1, 2]]) {
        const wanted = all.filter(([, , of]) => files.includes(of as number));
        expect(await rowsOf(fileRows(files), 'n, __hr_row, __hr_file')).toEqual(wanted);
      }
    });
  });

  it('count the pushed values that their column’s type of now cannot say, of the rows that count', async () => {
    const passed = sourceOf('passing', '', COLUMNS, { kind: 'pushed', location: {} });
    const texts = (source: SourceSpec): SourceSpec => ({
      ...source,
      columns: fields({ at: TYPES.timestamp, n: TYPES.string, file_row_number: TYPES.int32 }),
    });
    const old = (n: string | null, at: Micros, number: number | null) => ({
      row: { at, n, file_row_number: number },
      knownMicros: at,
    });
    for (const isEnded of [true, false]) {
      const writer = await world.log.register();
      await writeCuts(writer, [
        { batches: [{ source: texts(passed), rows: [old('1', 10, 1), old('one', 20, null), old(null, 30, 3)] }] },
        {
          batches: [
            { source: texts(passed), rows: [old('x', 5, 4), old('y', 30, 5)] },
            { source: texts(passed), rows: [old('void', 40, 5)], isVoid: true },
            { source: texts(kept), rows: [old('other', 40, 5)] },
          ],
        },
      ]);
      if (isEnded) await endWriter(writer);
    }
    // As its columns are now a number says nothing else as text.
    for (let reads = 0; reads < 2; reads++) {
      const counts = (boundary: Micros) => facts(passed, { boundary }, async ({ log }) => log?.unconverted());
      const past: unknown[] = [];
      for (const boundary of [-Infinity, 10, 20, 30]) past.push(await counts(boundary));
      expect(past).toEqual([{ n: 6 }, { n: 4 }, { n: 2 }, {}]);
    }
    const asNow = { ...passed, columns: fields({ at: TYPES.timestamp, file_row_number: TYPES.bool }) };
    expect(await facts(asNow, {}, async ({ log }) => log?.unconverted())).toEqual({ file_row_number: 8 });
  });

  it('are its log alone where it has no files, and nothing where nothing was pushed', async () => {
    await facts(only, {}, async ({ relation, log }) => {
      expect(await rowsOf(relation, 'n, __hr_event, __hr_row')).toEqual([]);
      expect(log).toBeNull();
    });
    const writer = await world.log.register();
    await writeCuts(writer, [{ batches: [{ source: only, rows: [pushedRow(1, 5, 7)] }] }]);
    await facts(only, {}, async ({ relation }) => expect(await numbersOf(relation)).toEqual([1]));
  });

  it('end where the coverage does, cut by cut, whatever was read before', async () => {
    const [one, two] = [await world.log.register(), await world.log.register()];
    const cut = (n: number) => ({ batches: [{ source: only, rows: [pushedRow(n, n, n), pushedRow(n + 1, n, n)] }] });
    await writeCuts(one, [cut(10), cut(20), cut(30)]);
    await writeCuts(two, [cut(40)]);
    const read = (coverage: Coverage) =>
      facts(only, { coverage }, async ({ relation }) => rowsOf(relation, 'n, __hr_row::DOUBLE - 2 ** 52'));
    // The two in the order of their writers, numbered without a gap, from whatever files they come.
    const numbered = (...numbers: number[]) => numbers.map((n, i) => [n, i]);
    const [first, some] = [numbered(10, 11), numbered(10, 11, 20, 21, 40, 41)];
    expect(await read(upTo([one.writer, 1]))).toEqual(first);
    expect(await read(upTo([one.writer, 2], [two.writer, 1]))).toEqual(some);
    expect(await read(floor(3))).toEqual(numbered(10, 11, 20, 21, 30, 31, 40, 41));
    expect(await read(upTo([one.writer, 2], [two.writer, 1]))).toEqual(some);
    await rm(join(world.deps.dataDirectory, 'log'), { recursive: true });
    expect(await read(upTo([one.writer, 3]))).toHaveLength(6);
    expect(await read(upTo([one.writer, 2], [two.writer, 1]))).toEqual(some);
    expect(await read(NOTHING_COVERED)).toEqual([]);

    const between = async (from: Coverage, to: Coverage) => {
      const { relation, rows } = await openLogRows(world.connection, only, world.deps, from, to);
      const found = await numbersOf(relation);
      expect(rows).toBe(found.length);
      return found;
    };
    const late = await between(upTo([one.writer, 1]), upTo([one.writer, 3], [two.writer, 1]));
    expect(late).toEqual([20, 21, 30, 31, 40, 41]);
    expect(await between(upTo([one.writer, 1]), upTo([one.writer, 2]))).toEqual([20, 21]);
    expect(await between(upTo([one.writer, 3]), upTo([one.writer, 3]))).toEqual([]);
    expect(await between(floor(2), floor(3))).toEqual([40, 41]);
  });

  it('of many writers that have ended lie in few files, whoever lives between them', async () => {
    const wanted: number[] = [];
    const write = async (rows: number, isEnded: boolean) => {
      const writer = await world.log.register();
      const numbers = Array.from({ length: rows }, (_, i) => 100 * writer.writer + i);
      await writeCuts(writer, [{ batches: [{ source: only, rows: numbers.map((n) => pushedRow(n, n, n)) }] }]);
      if (isEnded) await endWriter(writer);
      wanted.push(...numbers);
    };
    const read = (coverage?: Coverage) =>
      facts(only, coverage === undefined ? {} : { coverage }, async ({ relation }) => {
        const rows = await rowsOf(relation, 'n, __hr_row::DOUBLE - 2 ** 52');
        expect(rows.map(([, place]) => place)).toEqual(rows.map((_, i) => i));
        const [, files = ''] = /read_parquet\(\[([^\]]*)\]/.exec(relation) ?? [];
        return { numbers: rows.map(([n]) => n), files: files.split(',').filter((path) => path !== '').length };
      });
    for (const rows of [2, 0, 1, 3]) await write(rows, true);
    expect(await read()).toEqual({ numbers: wanted, files: 1 });
    await write(1, false);
    for (let i = 0; i < 5; i++) {
      await write(2, true);
      expect(await read()).toEqual({ numbers: wanted, files: 3 });
    }
    // The writer that lives is the first above the floor; the same is read by what its position says.
    const said = await facts(only, {}, async ({ log }) => log?.coverage);
    expect([said?.floor, said?.cuts.size, said?.cuts.get(5)]).toEqual([5, 6, 1]);
    expect((await read(said)).numbers).toEqual(wanted);
    // A choice of them is read from what is there of each.
    const some = wanted.filter((n) => n < 700);
    expect((await read(floor(7))).numbers).toEqual(some);
    const between = await openLogRows(world.connection, only, world.deps, floor(3), floor(7));
    expect(await numbersOf(between.relation)).toEqual(some.filter((n) => n >= 300));
    expect(await read()).toEqual({ numbers: wanted, files: 3 });
  });

  it('are never fewer than asked for: a log that is shorter is an error that names the writer', async () => {
    const writer = await world.log.register();
    await writeCuts(writer, [{ batches: [{ source: kept, rows: [pushedRow(1, 1, 1)] }] }]);
    await file('f.parquet', []);
    for (const coverage of [upTo([writer.writer, 2]), upTo([7, 1])]) {
      const [[number] = []] = coverage.cuts;
      await refused(
        facts(kept, { coverage }, async () => {}),
        'HR_LOG_DAMAGED',
        `writer ${number} `,
      );
    }
  });

  it('decode a cut once, and anew when the source has other columns', async () => {
    const writer = await world.log.register();
    const reads: string[] = [];
    const log: EventLog = {
      ...world.log,
      read(...range) {
        reads.push(range.join(' '));
        return world.log.read(...range);
      },
    };
    for (let n = 1; n <= 20; n++) {
      await writeCuts(writer, [{ batches: [{ source: only, rows: [pushedRow(n, n, n)] }] }]);
      const wanted = Array.from({ length: n }, (_, i) => i + 1);
      for (let again = 0; again < 2; again++) {
        await facts(only, { log }, async ({ relation }) => expect(await numbersOf(relation)).toEqual(wanted));
      }
    }
    // Small cuts lie together by then.
    const [stored] = await world.log.writers();
    const kept20 = await logFiles({ ...world.deps, log } as LogCacheDeps, only, stored as WriterRow, 20);
    expect(kept20).toMatchObject([{ from: 1, to: 20, rows: 20 }]);
    expect(reads).toEqual(Array.from({ length: 20 }, (_, i) => `1 ${i + 1} ${i + 1} only`));
    const wider = { ...only, columns: [...COLUMNS, ...fields({ more: TYPES.string })] };
    const more = await facts(wider, { log }, ({ relation }) => rowsOf(relation, 'n, more'));
    expect(more).toContainEqual([20, null]);
    expect(reads.at(-1)).toBe('1 1 20 only');
  });
});

describe('facts of a source whose files get the same events later', () => {
  let writer: LogWriter;
  beforeEach(async () => {
    await file('f1.parquet', [row(1, 10), row(2, 20), row(3, 30), row(4, null)]);
    writer = await world.log.register();
    const rows = [pushedRow(20, 20, 21), pushedRow(21, 21, 21), pushedRow(40, 40, 41), pushedRow(50, null, 50)];
    await writeCuts(writer, [{ batches: [{ source: passing, rows }] }]);
  });

  it('are those of files up to the boundary and those of the log past it; without a time, all', async () => {
    const at = (boundary: Micros) => facts(passing, { boundary }, async ({ relation }) => numbersOf(relation));
    expect(await at(20)).toEqual([1, 2, 4, 21, 40, 50]);
    expect(await at(19)).toEqual([1, 4, 20, 21, 40, 50]);
    expect(await at(-Infinity)).toEqual([4, 20, 21, 40, 50]);
    expect(await at(Infinity)).toEqual([1, 2, 3, 4]);
    await facts(passing, { boundary: 20 }, async ({ allFileRows, allLogRows, log }) => {
      expect(await numbersOf(allFileRows)).toEqual([1, 2, 3, 4]);
      expect(await numbersOf(allLogRows)).toEqual([20, 21, 40, 50]);
      expect((await log?.digest())?.rows).toBe(3);
    });
  });

  it('have a digest of what counts: not of entries below the boundary', async () => {
    const digest = (boundary: Micros) => facts(passing, { boundary }, async ({ log }) => log?.digest());
    const before = await digest(20);
    await writeCuts(writer, [{ batches: [{ source: passing, rows: [pushedRow(5, 5, 60)] }] }]);
    expect(await digest(20)).toEqual(before);
    await writeCuts(writer, [{ batches: [{ source: passing, rows: [pushedRow(25, 25, 61)] }] }]);
    expect(await digest(20)).not.toEqual(before);
  });

  it('meet at the newest event of the files that is not of the future, less what they may lack', async () => {
    const propose = async (source: SourceSpec, now: Micros) => {
      const snapshot = await pinSource(source, ALL_EVENTS, world.deps);
      try {
        return await proposeBoundary(world.connection, source, world.deps, snapshot, now);
      } finally {
        await snapshot.close();
      }
    };
    expect(await propose(passing, 1000)).toBe(30);
    expect(await propose(passing, 25)).toBe(20);
    expect(await propose(passing, 5)).toBe(-Infinity);
    expect(await propose({ ...passing, completeAfterMicros: 7 }, 1000)).toBe(23);
    expect(await propose(kept, 1000)).toBe(-Infinity);
    const derived: SourceSpec = {
      ...passing,
      derive: [{ name: 'then', type: TYPES.timestamp, by: { kind: 'sql', sql: '"at" + INTERVAL 5 MICROSECONDS' } }],
      eventTime: 'then',
    };
    expect(await propose(derived, 1000)).toBe(35);
    const never = `SELECT TIMESTAMP 'infinity' AS "at", 9::INTEGER AS n, '' AS file_row_number`;
    await world.select(`COPY (${never}) TO '${world.path('f2.parquet')}'`);
    expect(await propose(passing, 1000)).toBe(30);
  });
});

describe('a time that is no whole number of microseconds in a double', () => {
  it('is none: its row matches nothing, and is counted', async () => {
    const times = `unnest([TIMESTAMP '9999-12-31', TIMESTAMP 'infinity', TIMESTAMP '2000-01-01'])`;
    await world.select(
      `COPY (SELECT ${times} AS "at", 1::INTEGER AS n, '' AS file_row_number) TO '${world.path('f.parquet')}'`,
    );
    await facts(kept, {}, async ({ relation }) => {
      const time = 946_684_800_000_000n;
      const none = [null, null];
      expect(await rowsOf(relation, '__hr_event, __hr_known')).toEqual([none, none, [time, time + 3n]]);
    });
  });
});
