// The range of time of a spine's rows.

import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { overlaps } from '../../src/offline/sources/event-range.ts';
import { SPINE_TABLE, spineTimes } from '../../src/offline/training-sets/load-spine.ts';
import { openDuckDb } from '../../src/storage/index.ts';

it('is from the first to the last time that is there, and overlaps nothing where there is none', async () => {
  const duckdb = await openDuckDb({ tempDirectory: tmpdir(), threads: 1 });
  const connection = await duckdb.connect();
  try {
    await connection.run(`CREATE TEMP TABLE ${SPINE_TABLE} (__hr_at BIGINT)`);
    const none = await spineTimes(connection);
    expect(none).toEqual({ from: Infinity, to: -Infinity });
    expect(overlaps(none, { from: 0, to: 2 ** 52 })).toBe(false);
    await connection.run(`INSERT INTO ${SPINE_TABLE} VALUES (NULL)`);
    expect(await spineTimes(connection)).toEqual(none);
    await connection.run(`INSERT INTO ${SPINE_TABLE} VALUES (7), (-3), (5)`);
    expect(await spineTimes(connection)).toEqual({ from: -3, to: 7 });
  } finally {
    connection.closeSync();
    await duckdb.close();
  }
});
