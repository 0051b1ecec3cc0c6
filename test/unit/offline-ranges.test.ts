// Ranges of event time, by which a run leaves out what it can't need: of a spine, and of what a path says of its rows.

import { describe, expect, it } from 'vitest';
import { parseTimestamp } from '../../src/core/index.ts';
import type { PartitionUnit } from '../../src/definitions/index.ts';
import { ALL_EVENTS, isEmptyRange, momentText, NO_EVENTS, overlaps } from '../../src/offline/sources/event-range.ts';
import { keepsPath, partitionRange, pathValues } from '../../src/offline/sources/path-partitions.ts';
import { SPINE_TABLE, spineTimes } from '../../src/offline/training-sets/load-spine.ts';
import { worldOfAll } from '../support/offline-world.ts';

const world = worldOfAll();

it('two overlap where they share a moment, be it an end of both', () => {
  expect(overlaps({ from: 1, to: 3 }, { from: 3, to: 9 })).toBe(true);
  expect(overlaps({ from: 3, to: 9 }, { from: 1, to: 3 })).toBe(true);
  expect(overlaps({ from: 1, to: 3 }, { from: 4, to: 9 })).toBe(false);
  expect(overlaps({ from: 4, to: 9 }, { from: 1, to: 3 })).toBe(false);
});

it('one is empty where it ends before it begins, or was never given an end', () => {
  const isEmpty = (from: number, to: number) => isEmptyRange({ from, to });
  const empty = [isEmptyRange(NO_EVENTS), isEmpty(4, 3), isEmpty(-Infinity, -Infinity), isEmpty(Infinity, Infinity)];
  expect(empty).toEqual([true, true, true, true]);
  expect([isEmptyRange(ALL_EVENTS), isEmpty(3, 3), isEmpty(-Infinity, 0)]).toEqual([false, false, false]);
});

it('an end is said in SQL where every engine can say it, and left out where not', () => {
  const [first, last] = [86_400_000_000, Date.UTC(9999, 0) * 1000];
  expect(momentText(first)).toBe('1970-01-02 00:00:00');
  expect(momentText(first + 1)).toBe('1970-01-02 00:00:00.000001');
  expect(momentText(last)).toBe('9999-01-01 00:00:00');
  for (const at of [first - 1, last + 60_000_000, -Infinity, Infinity]) expect(momentText(at)).toBeUndefined();
});

it('is from the first to the last time that is there, and overlaps nothing where there is none', async () => {
  const { connection, select } = world;
  await select(`CREATE TEMP TABLE ${SPINE_TABLE} (__hr_at BIGINT)`);
  const none = await spineTimes(connection);
  expect(none).toEqual({ from: Infinity, to: -Infinity });
  expect(overlaps(none, { from: 0, to: 2 ** 52 })).toBe(false);
  await select(`INSERT INTO ${SPINE_TABLE} VALUES (NULL)`);
  expect(await spineTimes(connection)).toEqual(none);
  await select(`INSERT INTO ${SPINE_TABLE} VALUES (7), (-3), (5)`);
  expect(await spineTimes(connection)).toEqual({ from: -3, to: 7 });
});

const at = (text: string): number => parseTimestamp(text) as number;
const range = (partitions: Record<string, PartitionUnit>, path: string) => partitionRange({ partitions }, path);
const until = (from: string, to: string) => ({ from: at(from), to: at(to) - 1 });

describe('the values in a path', () => {
  it('are those of its folders, decoded, by names in lower case; a null is one', () => {
    const values = pathValues('s3://b/Events/DT=2026-01-05/region=a%2Fb/x=__HIVE_DEFAULT_PARTITION__/y=/a=b.parquet');
    expect(Object.fromEntries(values)).toEqual({ dt: '2026-01-05', region: 'a/b', x: null, y: '' });
    expect(pathValues('a/%zz=1/b=%zz/x').get('b')).toBe('%zz');
  });
});

describe('the range of a partition', () => {
  const parts = { y: 'year', m: 'month', d: 'day' } as const;
  it.each([
    [{ dt: 'date' }, 'dt=2026-01-05', '2026-01-05T00', '2026-01-06T00'],
    [{ dt: 'date' }, 'dt=20260105', '2026-01-05T00', '2026-01-06T00'],
    [parts, 'y=2024/m=2/d=29', '2024-02-29T00', '2024-03-01T00'],
    [{ y: 'year', m: 'month' }, 'y=2026/m=12', '2026-12-01T00', '2027-01-01T00'],
    [{ y: 'year' }, 'y=2026', '2026-01-01T00', '2027-01-01T00'],
    [{ dt: 'date', h: 'hour' }, 'dt=2026-01-05/h=07', '2026-01-05T07', '2026-01-05T08'],
  ] as const)('of %j is a day, a month, a year or an hour in UTC: %s', (partitions, path, from, to) => {
    expect(range(partitions, `e/${path}/x`)).toEqual(until(`${from}:00:00Z`, `${to}:00:00Z`));
  });

  it('is all time where the path does not say', () => {
    for (const day of ['__HIVE_DEFAULT_PARTITION__', '2026-02-30', 'soon', '2026-1-5'])
      expect(range({ dt: 'date' }, `e/dt=${day}/x`)).toEqual(ALL_EVENTS);
    expect(range({ dt: 'date' }, 'e/x')).toEqual(ALL_EVENTS);
    expect(range({ dt: 'date', h: 'hour' }, 'e/dt=2026-01-05/h=24/x')).toEqual(ALL_EVENTS);
    expect(range({ y: 'year', m: 'month' }, 'e/y=2026/m=13/x')).toEqual(ALL_EVENTS);
    expect(partitionRange({}, 'e/dt=2026-01-05/x')).toEqual(ALL_EVENTS);
  });

  it('keeps a path that it touches', () => {
    const keeps = keepsPath({ partitions: { dt: 'date' } }, until('2026-01-05T00:00:00Z', '2026-01-07T00:00:00Z'));
    const kept = ['04', '05', '06', '07'].filter((day) => keeps(`e/dt=2026-01-${day}/x`));
    expect(kept).toEqual(['05', '06']);
    expect(keeps('e/x')).toBe(true);
  });
});
