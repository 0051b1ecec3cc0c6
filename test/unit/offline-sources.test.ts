// Files of sources as relations: types at their edges, internal names, row numbers.

import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { DataType, Row } from '../../src/core/index.ts';
import type { SourceSpec, UserFunction } from '../../src/definitions/index.ts';
import { fromDuck } from '../../src/offline/duckdb/vector-values.ts';
import { fields, manifestOf, sourceOf, TYPES, worldOfEach } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';

const world = worldOfEach();

/** The facts of a source whose files are all there is. */
async function scan(source: SourceSpec, columns: string, functions: Record<string, UserFunction> = {}) {
  const deps = world.depsOf(manifestOf({}), functions);
  return world.facts(
    source,
    async ({ relation, ...rest }) => ({
      rows: await world.select(`SELECT ${columns} FROM ${relation} ORDER BY __hr_row`),
      ...rest,
    }),
    { deps },
  );
}

const copy = (sql: string, name: string) =>
  world.connection.run(`COPY (${sql}) TO '${world.path(name)}' (FORMAT parquet)`);

describe('a source of files', () => {
  it('takes every kind of timestamp to whole microseconds of UTC', async () => {
    await copy(
      `SELECT TIMESTAMPTZ '2024-01-01 02:00:00.000001+02' AS zoned, DATE '2024-01-01' AS day, TIMESTAMP '2024-01-01 00:00:00.123456' AS "at",
         TIMESTAMP_NS '1969-12-31 23:59:59.999999999' AS nanos, TIMESTAMP_MS '2024-01-01 00:00:00.5' AS millis, '2024-01-01T01:00:00+01:00' AS text`,
      'times.parquet',
    );
    const names = ['zoned', 'day', 'at', 'nanos', 'millis', 'text'];
    const source = sourceOf(
      'times',
      'times.parquet',
      fields(Object.fromEntries(names.map((n) => [n, TYPES.timestamp]))),
    );
    const { rows } = await scan(source, names.map((name) => `"${name}"`).join(', '));
    const midnight = 1_704_067_200_000_000;
    const times = [midnight + 1, midnight, midnight + 123_456, -1, midnight + 500_000, midnight];
    expect(rows[0]?.map((value) => fromDuck(TYPES.timestamp, value))).toEqual(times);
  });

  it('keeps values exact, and refuses those that are not of the declared type', async () => {
    await copy(`SELECT 9007199254740993 AS big, 1.5 AS half, TIMESTAMP '2024-01-01' AS "at"`, 'numbers.parquet');
    const typed = (half: DataType) =>
      sourceOf('numbers', 'numbers.parquet', fields({ big: TYPES.int64, at: TYPES.timestamp, half }));
    expect((await scan(typed(TYPES.float64), 'big, half')).rows).toEqual([[9007199254740993n, 1.5]]);
    await expect(scan(typed(TYPES.int32), 'half')).rejects.toThrow(/1\.5 is no int32/);
    await refused(scan(typed(TYPES.string), 'half'), 'HR_SOURCE_UNREADABLE');
    await copy(`SELECT 1 AS big, 9007199254740993::DOUBLE AS half, TIMESTAMP '2024-01-01' AS "at"`, 'numbers.parquet');
    await expect(scan(typed(TYPES.int64), 'half')).rejects.toThrow(
      /column "half".* past 2\^53, which has lost its last digits/,
    );
  });

  it('numbers rows by file and place, also where a file has a column of the name it uses for that', async () => {
    const columns = fields({ at: TYPES.timestamp, n: TYPES.int32, file_row_number: TYPES.int32 });
    const rows = [1, 2].map((n): Row => ({ at: 0, n, file_row_number: 9 }));
    await world.put('a.parquet', columns, rows);
    await world.put('b.parquet', columns.slice(0, 2), [{ at: 0, n: 3 }]);
    expect((await scan(sourceOf('s', 'a.parquet', columns), 'n, __hr_row')).rows).toEqual([
      [1, 0n],
      [2, 1n],
    ]);
    expect((await scan(sourceOf('s', 'b.parquet', columns.slice(0, 2)), 'n, __hr_row')).rows).toEqual([[3, 0n]]);
    await expect(scan(sourceOf('s', '[ab].parquet', columns), 'n')).rejects.toMatchObject({
      message: expect.stringContaining('b.parquet has no column'),
    });
  });

  it('gives a row no known time when one of its times is missing, and none before its event', async () => {
    const columns = fields({ at: TYPES.timestamp, known: TYPES.timestamp });
    const row = (at: number | null, known: number | null): Row => ({ at, known });
    await world.put('times.parquet', columns, [row(5, 9), row(5, 1), row(5, null), row(null, 9)]);
    const source = sourceOf('s', 'times.parquet', columns, { knownTime: { kind: 'column', column: 'known' } });
    expect((await scan(source, '__hr_event, __hr_known')).rows).toEqual([
      [5n, 9n],
      [5n, 5n],
      [5n, null],
      [null, null],
    ]);
    const late = sourceOf('s', 'times.parquet', columns, { knownTime: { kind: 'after', micros: 7 } });
    expect((await scan(late, '__hr_known')).rows).toEqual([[12n], [12n], [12n], [null]]);
  });

  it('derives columns by SQL and by a function of the whole row', async () => {
    const items = { kind: 'list', of: TYPES.int32 } as const;
    const columns = fields({ at: TYPES.timestamp, s: TYPES.string, big: TYPES.int64, list: items });
    await world.put('d.parquet', columns, [
      { at: 90_000_000, s: 'é', big: 2n ** 60n, list: [1, null, 3] },
      { at: null, s: null, big: null, list: null },
    ]);
    const by = (id: string) => ({ kind: 'function', function: { id, hash: '' } }) as const;
    const source = sourceOf('s', 'd.parquet', columns, {
      derive: [
        { name: 'twice', type: TYPES.string, by: { kind: 'sql', sql: 's || s' } },
        { name: 'more', type: TYPES.int64, by: by('more') },
        { name: 'later', type: TYPES.timestamp, by: by('later') },
        { name: 'items', type: items, by: by('items') },
      ],
    });
    const functions: Record<string, UserFunction> = {
      more: (row: { big: bigint | null }) => (row.big === null ? null : row.big + 1n),
      later: (row: { at: Date | null }) => (row.at === null ? null : new Date(row.at.getTime() + 1000)),
      items: (row: { list: number[] | null }) => row.list?.toReversed() ?? null,
    };
    const { rows } = await scan(source, 'twice, more, later, items', functions);
    const types: DataType[] = [TYPES.string, TYPES.int64, TYPES.timestamp, items];
    expect(rows.map((row) => row.map((value, i) => fromDuck(types[i] as DataType, value)))).toEqual([
      ['éé', 2n ** 60n + 1n, 91_000_000, [3, null, 1]],
      [null, null, null, null],
    ]);
    const wrong: Record<string, UserFunction> = { ...functions, more: () => 'text' };
    await expect(scan(source, 'more', wrong)).rejects.toThrow(
      /HR_TRANSFORM_FAILED: derived column "more": expected int64/,
    );
  });

  it('reads CSV fields as declared: empty is null, quoted empty is a string', async () => {
    await writeFile(world.path('c.csv'), 'at,s,flag,n\n1970-01-01 00:00:01,"",true,007\n1970-01-01 00:00:02,,,\n');
    const columns = fields({ at: TYPES.timestamp, s: TYPES.string, flag: TYPES.bool, n: TYPES.int64 });
    const source = sourceOf('c', 'c.csv', columns, { kind: 'csv' });
    expect((await scan(source, 's, flag, n, __hr_event, __hr_row')).rows).toEqual([
      ['', true, 7n, 1_000_000n, 0n],
      [null, null, null, 2_000_000n, 1n],
    ]);
  });

  it('takes whole numbers from CSV to their last digit, and refuses fractions instead of rounding them', async () => {
    const file = world.path('whole.csv');
    const source = sourceOf('whole', 'whole.csv', fields({ at: TYPES.timestamp, n: TYPES.int64 }), { kind: 'csv' });
    const numbers = (texts: readonly string[]) =>
      writeFile(file, `at,n\n${texts.map((text) => `1970-01-01,${text}\n`).join('')}`);
    await numbers(['9223372036854775807', '-9223372036854775808', '9007199254740993', '2.0', '1e3', '']);
    const whole = [9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n, 9_007_199_254_740_993n, 2n, 1000n, null];
    expect((await scan(source, 'n')).rows).toEqual(whole.map((value) => [value]));
    for (const text of ['1.5', '-0.5', '.25', '9007199254740993.5', '15e-1', '9223372036854775808', 'x']) {
      await numbers(['1', text]);
      await expect(scan(source, 'n')).rejects.toThrow(`holds "${text}", and was declared int64`);
    }
  });
});
