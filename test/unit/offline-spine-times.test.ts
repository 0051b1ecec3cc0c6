// The times of a CSV spine: read as those of a source are, never guessed.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTimestamp } from '../../src/core/index.ts';
import { fields, openOfflineWorld, type OfflineWorld, TYPES, writeParquet } from '../support/offline-world.ts';
import { oneView, trainedRows } from '../support/one-view.ts';

/** DuckDB looks at so many rows, about, to tell a column's type. */
const SNIFFED_ROWS = 20_480;
const EVENT = '2024-03-10T09:00:00Z';

let world: OfflineWorld;
beforeEach(async () => {
  world = await openOfflineWorld();
});
afterEach(() => world.close());

/** The value of the last row of a spine with these times, where there is one event. */
async function lastValue(times: readonly string[]) {
  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });
  const events = join(world.directory, 'events.parquet');
  await writeParquet(world.connection, events, columns, [{ key: 'x', at: parseTimestamp(EVENT) ?? null, v: 1 }]);
  const spine = join(world.directory, 'spine.csv');
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

  it.fails('have their zone in a column of times without one, however late it comes (datapath/S1)', async () => {
    const plain = Array.from({ length: SNIFFED_ROWS + 10_000 }, () => '2024-03-10 10:00:00');
    expect(await lastValue([...plain, '2024-03-10 10:00:00+02:00'])).toBeNull();
  });

  it.fails('are refused where day and month cannot be told apart (datapath/S1)', async () => {
    await expect(lastValue(['03/04/2024 10:00:00'])).rejects.toThrow('03/04/2024 10:00:00');
  });
});
