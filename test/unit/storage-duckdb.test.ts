import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openDuckDb } from '../../src/storage/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'headrace-duckdb-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('opens DuckDB in UTC, in the order of rows, inside its memory, spilling where it was told', async () => {
  const tempDirectory = join(folder, 'made', 'spill');
  const duckdb = await openDuckDb({ memory: '512MiB', threads: 1, tempDirectory });
  const connection = await duckdb.connect();
  const reader = await connection.runAndReadAll(`
    SELECT current_setting('TimeZone'), current_setting('preserve_insertion_order'), current_setting('memory_limit'),
      current_setting('threads'), current_setting('temp_directory')`);
  expect(reader.getRowsJS()).toEqual([['UTC', true, '512.0 MiB', 1n, tempDirectory]]);
  connection.closeSync();
  await duckdb.close();
});

it('gives each connection its own temporary tables', async () => {
  const duckdb = await openDuckDb({ tempDirectory: folder });
  const [one, other] = [await duckdb.connect(), await duckdb.connect()];
  await one.run('CREATE TEMP TABLE mine AS SELECT 1');
  await expect(other.run('SELECT * FROM mine')).rejects.toThrow(/mine/);
  for (const connection of [one, other]) connection.closeSync();
  await duckdb.close();
});
