// What is kept of a decoded part is looked at for a range of time only where its newest prediction is in or past it.

import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { newestOf } from '../../src/monitoring/prediction-log/decoded-segments.ts';
import { openDuckDb } from '../../src/storage/index.ts';

it('the newest prediction of a table is told by its time, and that of an empty one is before all', async () => {
  const duckdb = await openDuckDb({ tempDirectory: tmpdir(), threads: 1 });
  const connection = await duckdb.connect();
  try {
    await connection.run('CREATE TEMP TABLE part (predicted DOUBLE)');
    expect(await newestOf(connection, 'part')).toBe(0);
    await connection.run('INSERT INTO part VALUES (1790000000000001), (1790000000000003), (1790000000000002)');
    expect(await newestOf(connection, 'part')).toBe(1_790_000_000_000_003);
  } finally {
    connection.closeSync();
    await duckdb.close();
  }
});
