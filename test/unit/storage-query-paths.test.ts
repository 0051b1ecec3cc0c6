// Relative file names in a query start where the caller says, whatever the process's own working directory holds.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startPathsAt } from '../../src/storage/duckdb/query-paths.ts';
import { quoteText } from '../../src/storage/index.ts';
import { worldOfAll } from '../support/offline-world.ts';

let connection: DuckDBConnection;
const world = worldOfAll();
const entered = process.cwd();

/** Folders with files of the same names; each says in which it lies. */
async function fill(folder: string, says: string): Promise<string> {
  const path = world.path(folder);
  mkdirSync(join(path, 'data'), { recursive: true });
  for (const name of ['s.parquet', 's.csv', 'data/a.parquet', 'data/b.csv', 'no ending', "it's.csv"]) {
    const [to, format] = [quoteText(join(path, name)), name.endsWith('.parquet') ? 'parquet' : 'csv'];
    await connection.run(`COPY (SELECT ${quoteText(says)} AS says) TO ${to} (FORMAT ${format})`);
  }
  return path;
}

beforeEach(async () => {
  connection = await world.deps.duckdb.connect();
  process.chdir(await fill('process', 'process'));
});
afterEach(() => {
  connection.closeSync();
  process.chdir(entered);
});

async function ask(query: string, directory: string): Promise<unknown[][]> {
  const read = await connection.runAndReadAll(`FROM (${await startPathsAt(connection, query, directory)})`);
  return read.getRows();
}

describe('relative file names of a query', () => {
  it.each([
    `SELECT * FROM 's.parquet'`,
    `SELECT * FROM "s.parquet"`,
    'SELECT * FROM s.parquet',
    'FROM s.csv',
    `FROM 's.csv'`,
    `FROM './s.csv'`,
    `FROM 'data/../s.csv'`,
    `FROM 'data/*.parquet'`,
    `FROM 'data/?.csv' AS one`,
    `FROM 'it''s.csv'`,
    `FROM read_parquet('s.parquet', union_by_name = true)`,
    `FROM READ_PARQUET(['s.parquet'])`,
    `FROM parquet_scan(ARRAY['data/a.parquet'])`,
    `FROM read_csv('no ending', header = true)`,
    `SELECT trim(content, E'\\nsay"') AS says FROM read_text('s.csv')`,
    `SELECT 'é ''s.csv''' AS é, says FROM 's.csv'`,
    `WITH one AS (FROM 's.csv') SELECT says FROM one`,
    `SELECT (SELECT says FROM 's.parquet')`,
    `SELECT says FROM (VALUES (1)) LEFT JOIN 's.csv' ON true -- FROM 's.parquet'`,
    `SELECT * FROM (PIVOT 's.csv' ON length(says) IN (4) USING min(says))`,
    `FROM 's.csv' WHERE says IN (FROM 's.parquet')`,
  ])('start at the given folder: %s', async (query) => {
    const directory = await fill("the user's, [own] 100% *folder*", 'user');
    const [row] = await ask(`${query}\n`, directory);
    expect(JSON.stringify(row)).toContain('user');
    expect(JSON.stringify(row)).not.toContain('process');
  });

  it('are found there too where the query puts them together only as it runs', async () => {
    const directory = await fill('user', 'user');
    await connection.run(`COPY (SELECT 'user' AS says) TO ${quoteText(join(directory, 'only here.csv'))}`);
    expect(await ask(`FROM read_csv('only' || ' here.csv')`, directory)).toEqual([['user']]);
  });

  it('leave whole paths, names of common tables and all other text alone', async () => {
    const directory = await fill('user', 'user');
    const whole = quoteText(world.path('process/s.csv'));
    for (const query of [
      `FROM ${whole}`,
      `SELECT 's.csv' AS a, says AS "data/b.csv" FROM ${whole}`,
      `WITH "s.csv" AS (SELECT 1) FROM "s.csv"`,
      `SELECT * FROM range(3)`,
      `FROM read_csv('https://example.org/x.csv')`,
      `FROM 's3://bucket/x.parquet'`,
      `SELECT FROM WHERE`,
    ]) {
      expect(await startPathsAt(connection, query, directory)).toBe(query);
    }
  });

  it('are named as they are when there is no such file', async () => {
    const directory = await fill('user', 'user');
    await expect(ask(`FROM 'nowhere.csv'`, directory)).rejects.toThrow(join(directory, 'nowhere.csv'));
  });
});
