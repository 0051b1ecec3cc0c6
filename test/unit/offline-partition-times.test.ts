// `partitions` promise the event time of a folder's rows: a file that is read and breaks the promise is an error.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { fields, openOfflineWorld, type OfflineWorld, TYPES } from '../support/offline-world.ts';
import { oneView, trainedRows } from '../support/one-view.ts';

let world: OfflineWorld;
let days: readonly [string, string];
beforeEach(async () => {
  world = await openOfflineWorld();
  days = [join(world.directory, 'dt=2024-01-01'), join(world.directory, 'dt=2024-01-02')];
  for (const day of days) await mkdir(day);
});
afterEach(() => world.close());

/** A training set of a spine that reaches into both days, of files in which an hour of Berlin's second day is of the first. */
async function trained(kind: SourceSpec['kind']) {
  const spine = join(world.directory, 'spine.parquet');
  await world.connection.run(
    `COPY (FROM (VALUES ('x', TIMESTAMP '2024-01-01 23:45:00'), ('x', TIMESTAMP '2024-01-03')) s(id, t)) TO '${spine}'`,
  );
  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });
  const path = join(world.directory, `dt=*/events.${kind}`);
  return trainedRows(world, oneView(path, columns, { source: { kind, partitions: { dt: 'date' } } }), spine);
}

const writeParquetDays = async (...rows: string[]): Promise<void> => {
  for (const [i, day] of days.entries()) {
    const events = `FROM (VALUES ${rows[i]}) t(key, "at", v)`;
    await world.connection.run(`COPY (${events}) TO '${join(day, 'events.parquet')}'`);
  }
};

const FIRST = "('x', TIMESTAMP '2024-01-01 10:00:00', 1::DOUBLE)";
const DENIED = "('x', TIMESTAMP '2024-01-01 23:30:00', 2::DOUBLE)";
const refused = { code: 'HR_SOURCE_UNREADABLE', message: expect.stringContaining('2024-01-01T23:30:00') };

describe('a file with a row that its folder’s date denies', () => {
  it('is refused where its footer tells', async () => {
    await writeParquetDays(FIRST, DENIED);
    await expect(trained('parquet')).rejects.toMatchObject(refused);
  });

  it.fails('is refused where a null time keeps its footer from telling (datapath/L3)', async () => {
    await writeParquetDays(FIRST, `${DENIED}, ('y', NULL, 0)`);
    await expect(trained('parquet')).rejects.toMatchObject(refused);
  });

  it.fails('is refused where it is a CSV, which has no footer (datapath/L3)', async () => {
    await writeFile(join(days[0], 'events.csv'), 'key,at,v\nx,2024-01-01T10:00:00Z,1\n');
    await writeFile(join(days[1], 'events.csv'), 'key,at,v\nx,2024-01-01T23:30:00Z,2\n');
    await expect(trained('csv')).rejects.toMatchObject(refused);
  });
});
