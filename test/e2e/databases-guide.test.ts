// The guide on databases, on a real Postgres, with all that it shows.

import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { runGuide } from '../support/run-guide.ts';
import { createProject, headraceJson, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/databases.md');
const isHere = findPostgres() !== undefined;
if (!isHere) skipBecause('the guide on databases: no initdb and postgres found (Debian: postgresql)');

describe.runIf(isHere)('the guide on databases', () => {
  let server: PostgresServer;
  let project: Project;
  let env: Record<string, string>;
  beforeAll(async () => {
    server = await startPostgres();
    env = { SHOP_URL: await server.newDatabase() };
    const client = new pg.Client({ connectionString: env['SHOP_URL'] });
    await client.connect();
    await client.query(
      'CREATE SCHEMA sales; CREATE TABLE sales.orders ' +
        '(order_id int8, customer text, amount numeric(10, 2), ordered_at timestamptz, loaded_at timestamptz); ' +
        "INSERT INTO sales.orders VALUES (1, 'ada', 10, '2026-01-01 10:00Z', '2026-01-01 11:00Z'), " +
        "(2, 'ada', 20.5, '2026-01-02 10:00Z', '2026-01-04 11:00Z'), (3, 'bob', -5, '2026-01-02 10:00Z', '2026-01-02 11:00Z')",
    );
    await client.end();
    project = createProject({
      'headrace.config.ts':
        "import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'shop' });\n",
      // Before the first order could be known, before the second, after it.
      'spine.csv':
        'customer,at\nada,2026-01-01T10:30:00Z\nada,2026-01-03T00:00:00Z\nada,2026-01-04T12:00:00Z\nbob,2026-01-04T12:00:00Z\n',
    });
  }, 60_000);
  afterAll(async () => {
    project?.remove();
    await server?.stop();
  });

  it('shows what its commands print, and its features are right', { timeout: 300_000 }, async () => {
    const all = runGuide(GUIDE, project, env);
    expect(all.length).toBe(2);
    for (const { command, shown, printed } of all) expect(printed, command).toBe(shown);
    const online = headraceJson(
      project,
      [
        'features',
        'get',
        '--service',
        'buying',
        '--rows',
        '[{"customer":"ada"},{"customer":"bob"}]',
        '--at',
        '2026-01-05T00:00:00Z',
      ],
      env,
    );
    expect(online).toMatchObject({
      rows: [
        { features: { spending__orders_7d: 2, spending__mean_amount_7d: 15.25 } },
        { features: { spending__orders_7d: 1, spending__mean_amount_7d: -5 } },
      ],
    });
    const duckdb = await (await DuckDBInstance.create()).connect();
    const made = await duckdb.runAndReadAll(
      `SELECT spending__orders_7d FROM read_parquet('${project.file('train.parquet')}')`,
    );
    expect(made.getRows()).toEqual([[0n], [1n], [2n], [1n]]);
    duckdb.closeSync();
  });
});
