// What a file's path says of its rows' event times, and of its columns.

import { describe, expect, it } from 'vitest';
import { parseTimestamp } from '../../src/core/index.ts';
import type { PartitionUnit } from '../../src/definitions/index.ts';
import { ALL_EVENTS } from '../../src/offline/sources/event-range.ts';
import { keepsPath, partitionRange, pathValues } from '../../src/offline/sources/path-partitions.ts';

const at = (text: string): number => parseTimestamp(text) as number;
const range = (partitions: Record<string, PartitionUnit>, path: string) => partitionRange({ partitions }, path);
const until = (from: string, to: string) => ({ from: at(from), to: at(to) - 1 });

describe('the values in a path', () => {
  it('are those of its folders, decoded, by names in lower case; a null is one', () => {
    const values = pathValues('s3://b/Events/DT=2026-01-05/region=a%2Fb/x=__HIVE_DEFAULT_PARTITION__/y=/a=b.parquet');
    expect([...values]).toEqual([
      ['dt', '2026-01-05'],
      ['region', 'a/b'],
      ['x', null],
      ['y', ''],
    ]);
    expect(pathValues('a/%zz=1/b=%zz/x').get('b')).toBe('%zz');
  });
});

describe('the range of a partition', () => {
  it('is a day, a month, a year or an hour in UTC', () => {
    expect(range({ dt: 'date' }, 'e/dt=2026-01-05/x')).toEqual(until('2026-01-05T00:00:00Z', '2026-01-06T00:00:00Z'));
    expect(range({ dt: 'date' }, 'e/dt=20260105/x')).toEqual(until('2026-01-05T00:00:00Z', '2026-01-06T00:00:00Z'));
    const parts = { y: 'year', m: 'month', d: 'day' } as const;
    expect(range(parts, 'e/y=2024/m=2/d=29/x')).toEqual(until('2024-02-29T00:00:00Z', '2024-03-01T00:00:00Z'));
    expect(range({ y: 'year', m: 'month' }, 'e/y=2026/m=12/x')).toEqual(
      until('2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'),
    );
    expect(range({ y: 'year' }, 'e/y=2026/x')).toEqual(until('2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'));
    expect(range({ dt: 'date', h: 'hour' }, 'e/dt=2026-01-05/h=07/x')).toEqual(
      until('2026-01-05T07:00:00Z', '2026-01-05T08:00:00Z'),
    );
  });

  it('is all time where the path does not say', () => {
    for (const path of [
      'e/x',
      'e/dt=__HIVE_DEFAULT_PARTITION__/x',
      'e/dt=2026-02-30/x',
      'e/dt=soon/x',
      'e/dt=2026-1-5/x',
    ])
      expect(range({ dt: 'date' }, path)).toEqual(ALL_EVENTS);
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
