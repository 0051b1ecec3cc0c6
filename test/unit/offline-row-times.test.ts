// What a training set makes of the times of its spine, of its source's rows and of the folders that they lie in.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixedClock, HeadraceError, parseTimestamp, type Row, toJson } from '../../src/core/index.ts';
import type { Expectation, SourceSpec } from '../../src/definitions/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';
import { fields, latest, TYPES, worldOfEach } from '../support/offline-world.ts';
import { materializeView, oneView, readOnline, trainedRows } from '../support/one-view.ts';

/** DuckDB looks at so many rows, about, to tell a column's type. */
const SNIFFED_ROWS = 20_480;
const EVENT = '2024-03-10T09:00:00Z';

const world = worldOfEach();

/** The value of the last row of a spine with these times, where there is one event. */
async function lastValue(times: readonly string[]) {
  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });
  const event = { key: 'x', at: parseTimestamp(EVENT) ?? null, v: 1 };
  const events = await world.put('events.parquet', columns, [event]);
  const spine = world.path('spine.csv');
  await writeFile(spine, `id,t\n${times.map((time) => `x,${time}\n`).join('')}`);
  const { rows, isAuditClean } = await trainedRows(world, oneView(events, columns), spine);
  expect(isAuditClean).toBe(true);
  return rows.at(-1)?.['v'];
}

describe('the times of a CSV spine', () => {
  it('are UTC, or have their zone', async () => {
    expect(await lastValue(['2024-03-10 10:00:00'])).toBe(1);
    expect(await lastValue(['2024-03-10 10:00:00+02:00'])).toBeNull();
  });

  it('have their zone in a column of times without one, however late it comes', async () => {
    const plain = Array.from({ length: SNIFFED_ROWS + 10_000 }, () => '2024-03-10 10:00:00');
    expect(await lastValue([...plain, '2024-03-10 10:00:00+02:00'])).toBeNull();
  });

  it('are refused where day and month cannot be told apart', async () => {
    await expect(lastValue(['03/04/2024 10:00:00'])).rejects.toThrow('03/04/2024 10:00:00');
  });
});

const days = () => [world.path('dt=2024-01-01'), world.path('dt=2024-01-02')] as const;

/** Times of spines: of all there is, and of the first day alone, for which the second day's folder has nothing to give. */
const SPINES = {
  'the spine reaches into both folders': ['2024-01-01 23:45:00', '2024-01-03 00:00:00'],
  'the spine needs the other folder alone': ['2024-01-01 23:45:00'],
} as const;

/** A training set of files by day, of a spine with these times. */
async function trained(
  kind: SourceSpec['kind'],
  times: readonly string[] = SPINES['the spine needs the other folder alone'],
  more: Partial<SourceSpec> = {},
) {
  const spine = world.path('spine.parquet');
  const rows = times.map((time) => `('x', TIMESTAMP '${time}')`);
  await world.select(`COPY (FROM (VALUES ${rows.join(', ')}) s(id, t)) TO '${spine}'`);
  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });
  const path = world.path(`dt=*/events.${kind}`);
  const features = [latest('v', TYPES.float64, 'v')];
  const source = { kind, partitions: { dt: 'date' }, ...more } as const;
  return trainedRows(world, oneView(path, columns, { features, source }), spine);
}

const writeParquetDays = async (...rows: string[]): Promise<void> => {
  for (const [i, day] of days().entries()) {
    await mkdir(day, { recursive: true });
    const events = `FROM (VALUES ${rows[i]}) t(key, "at", v)`;
    await world.select(`COPY (${events}) TO '${join(day, 'events.parquet')}'`);
  }
};

const writeCsvDays = async (...rows: string[]): Promise<void> => {
  for (const [i, day] of days().entries()) {
    await mkdir(day, { recursive: true });
    await writeFile(join(day, 'events.csv'), `key,at,v\n${rows[i]}\n`);
  }
};

const MORNING = "('x', TIMESTAMP '2024-01-01 10:00:00', 1::DOUBLE)";
/** An hour of Berlin's second day is of the first. */
const DENIED = "('x', TIMESTAMP '2024-01-01 23:30:00', 2::DOUBLE)";
const RIGHT = "('x', TIMESTAMP '2024-01-02 23:30:00', 2::DOUBLE)";
const [CSV_MORNING, CSV_DENIED] = ['x,2024-01-01T10:00:00Z,1', 'x,2024-01-01T23:30:00Z,2'];
const refusal = { code: 'HR_SOURCE_UNREADABLE', message: expect.stringContaining('2024-01-01T23:30:00') };

/** The event time is an hour after the file's. */
const DERIVED: Partial<SourceSpec> = {
  derive: [{ name: 'happened', type: TYPES.timestamp, by: { kind: 'sql', sql: '"at" + INTERVAL 1 HOUR' } }],
  eventTime: 'happened',
};

describe.each(Object.entries(SPINES))('a file with a row that its folder’s date denies, where %s,', (_, times) => {
  it('is refused where its footer tells', async () => {
    await writeParquetDays(MORNING, DENIED);
    await expect(trained('parquet', times)).rejects.toMatchObject(refusal);
  });

  it('is refused where its footer tells of a null time, too', async () => {
    await writeParquetDays(MORNING, `${DENIED}, ('y', NULL, 0)`);
    await expect(trained('parquet', times)).rejects.toMatchObject(refusal);
  });

  it('is refused where its time is derived', async () => {
    await writeParquetDays(MORNING, "('x', TIMESTAMP '2024-01-01 22:30:00', 2::DOUBLE)");
    await expect(trained('parquet', times, DERIVED)).rejects.toMatchObject(refusal);
  });

  it('is refused where it is a CSV, which has no footer', async () => {
    await writeCsvDays(CSV_MORNING, CSV_DENIED);
    await expect(trained('csv', times)).rejects.toMatchObject(refusal);
  });

  it('is refused where it is a CSV whose times are derived', async () => {
    await writeCsvDays(CSV_MORNING, 'x,2024-01-01T22:30:00Z,2');
    await expect(trained('csv', times, DERIVED)).rejects.toMatchObject(refusal);
  });
});

describe('a file that its folder leaves out', () => {
  it.each([
    ['parquet', 'its footer', {}],
    ['parquet', 'its rows', DERIVED],
    ['csv', 'its rows', {}],
  ] as const)('of %s, known by %s, is looked at again where another takes its place', async (kind, _, more) => {
    const write = (...rows: string[]) => (kind === 'csv' ? writeCsvDays : writeParquetDays)(...rows);
    const [morning, right, denied] =
      kind === 'csv'
        ? [CSV_MORNING, 'x,2024-01-02T10:00:00Z,2', CSV_DENIED]
        : [MORNING, RIGHT.replace('23:', '10:'), DENIED];
    await write(morning, right);
    expect((await trained(kind, undefined, more)).rows).toEqual([{ v: 1 }]);
    await write(morning, denied.replace('23:30', more === DERIVED ? '22:30' : '23:30'));
    await expect(trained(kind, undefined, more)).rejects.toMatchObject(refusal);
  });

  it('is read once for its times: later sets go by what was kept of it', async () => {
    await writeCsvDays(CSV_MORNING, 'x,2024-01-02T10:00:00Z,2');
    await trained('csv');
    const kept = join(world.directory, 'footers', 'events.json');
    const text = await readFile(kept, 'utf8');
    const wrong = parseTimestamp('2024-01-01T23:30:00Z');
    const second = String(parseTimestamp('2024-01-02T10:00:00Z'));
    expect(text).toContain(second);
    await writeFile(kept, text.replaceAll(second, String(wrong)));
    await expect(trained('csv')).rejects.toMatchObject(refusal);
  });

  it('is read again where its times are derived otherwise', async () => {
    await writeParquetDays(MORNING, "('x', TIMESTAMP '2024-01-02 00:30:00', 2::DOUBLE)");
    expect((await trained('parquet', undefined, DERIVED)).rows).toEqual([{ v: 1 }]);
    const back = {
      ...DERIVED,
      derive: [{ ...DERIVED.derive?.[0], by: { kind: 'sql', sql: '"at" - INTERVAL 1 HOUR' } }],
    };
    await expect(trained('parquet', undefined, back as Partial<SourceSpec>)).rejects.toMatchObject(refusal);
  });

  it('is not asked for more than its times: another column may hold what it may not where it is read', async () => {
    await writeCsvDays(CSV_MORNING, 'x,2024-01-02T10:00:00Z,no number');
    expect((await trained('csv')).rows).toEqual([{ v: 1 }]);
  });
});

const at = (day: string) => parseTimestamp(`2023-01-${day}T00:00:00Z`) ?? null;
const FIRST: Row = { key: 'x', at: at('10'), known: at('10'), order: 1n, v: 1 };
/** Of the same order, earlier by its own time, and known after the spine's row. */
const LATE: Row = { key: 'x', at: at('05'), known: at('20'), order: 1n, v: 2 };
const UNIQUE: readonly Expectation[] = [{ rule: 'unique', columns: ['order'], onFail: 'quarantine' }];

/** What the training set says of `x` on 15 January, and whether an audit finds nothing. */
async function on15January(events: readonly Row[], expected = UNIQUE) {
  const { string, timestamp, int64, float64 } = TYPES;
  const columns = fields({ key: string, at: timestamp, known: timestamp, order: int64, v: float64 });
  const source = await world.put('events.parquet', columns, events);
  const spine = await world.put('spine.parquet', fields({ id: string, t: timestamp }), [{ id: 'x', t: at('15') }]);
  const manifest = oneView(source, columns, { source: { expect: expected } });
  const { rows, isAuditClean } = await trainedRows(world, manifest, spine);
  return { v: rows[0]?.['v'], isAuditClean };
}

describe('of two rows that are not unique', () => {
  it('the first is there while it is alone, and beside the other where nothing is expected', async () => {
    expect(await on15January([FIRST])).toEqual({ v: 1, isAuditClean: true });
    expect(await on15January([FIRST, LATE], [])).toEqual({ v: 1, isAuditClean: true });
  });

  it('one that became known later takes nothing from an earlier time', async () => {
    expect(await on15January([FIRST, LATE])).toEqual({ v: 1, isAuditClean: true });
  });
});

const NOW = Date.UTC(2023, 5) * 1000;
const clock = fixedClock(NOW);
const FAR = fields({ key: TYPES.string, at: TYPES.timestamp, known: TYPES.timestamp, until: TYPES.timestamp });

/** Of rows with a key each, `until` as text in a training set and online; the code of the error where that is refused. */
async function untilOf(rows: readonly { readonly at?: string; readonly known?: string; readonly until?: string }[]) {
  const file = (name: string): string => world.path(`${name}.parquet`);
  const events = rows.map(({ at = '2023-01-01', known = '2023-01-01', until = '2023-01-01' }, i) => {
    return `('${i}', ${[at, known, until].map((time) => `TIMESTAMP '${time}'`).join(', ')})`;
  });
  await world.select(`COPY (FROM (VALUES ${events.join(', ')}) t(key, "at", known, until)) TO '${file('events')}'`);
  await world.select(
    `COPY (SELECT i::VARCHAR AS id, make_timestamp(${NOW}) AS t FROM range(${rows.length}) r(i)) TO '${file('spine')}'`,
  );
  const manifest = oneView(file('events'), FAR);

  const offline = async () => {
    const set = await trainedRows(world, manifest, file('spine'));
    const text = `strftime(v__until, '%Y-%m-%dT%H:%M:%S.%fZ')`;
    const read = await world.select(`SELECT ${text} FROM '${set.file}' ORDER BY id`);
    return read.map(([until]) => until);
  };
  const online = async () => {
    const store = await openOnlineStore(`lmdb:${world.path('online')}`, { project: 'test', clock });
    try {
      await materializeView(world, manifest, store, clock);
      const reads = rows.map((_, i) => readOnline(world.deps.database, manifest, store, String(i), NOW));
      return (await Promise.all(reads)).map(({ values: [until = null] }) => toJson(TYPES.timestamp, until));
    } finally {
      await store.close();
    }
  };
  return { offline: await orCode(offline()), online: await orCode(online()) };
}

const orCode = <T>(work: Promise<T>): Promise<T | string> =>
  work.catch((error: unknown) => {
    if (error instanceof HeadraceError) return error.code;
    throw error;
  });

describe('a time that is far off', () => {
  it('leaves its row out as an event time and as a known time, offline and online', async () => {
    const far = [{ at: '0900-01-01' }, { at: 'infinity' }, { at: '-infinity' }, { known: '9999-12-31' }];
    const { offline, online } = await untilOf([{ until: '2255-01-01 00:00:00.000001' }, ...far]);
    expect(offline).toEqual(['2255-01-01T00:00:00.000001Z', null, null, null, null]);
    expect(online).toEqual(offline);
  });

  it('is exact as a value, to the end of the year 9999, offline and online', async () => {
    const is = ['9999-12-31T23:59:59.999999Z'];
    expect(await untilOf([{ until: '9999-12-31 23:59:59.999999' }])).toEqual({ offline: is, online: is });
  });

  it('is the same value offline and online where it never comes', async () => {
    const { offline, online } = await untilOf([{ until: 'infinity' }]);
    expect(online).toEqual(offline);
  });
});
