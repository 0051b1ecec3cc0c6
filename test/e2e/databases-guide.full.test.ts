// The guide on databases, on the real servers, with all that it shows.
// twin: test/contract/sources.test.ts > a source of
// twin: test/e2e/sources-command.test.ts > of a database

import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMysql, type MysqlServer, startMysql } from '../support/mysql-server.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { runGuide } from '../support/run-guide.ts';
import { createProject, headraceJson, type Project } from '../support/serving-project.ts';
import { hasSnowflake, SNOWFLAKE_PACKAGES, type SnowflakeServer, startSnowflake } from '../support/snowflake-server.ts';
import { skipBecause } from '../support/skips.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/databases.md');

interface Place {
  readonly name: string;
  /** Fills it with the guide's orders and gives its URL. */
  start(): Promise<string>;
  stop(): Promise<void>;
  /** What the reader installs. */
  prepare?(project: Project): void;
  /** What its reader writes where the guide shows Postgres. */
  readonly written: (guide: string) => string;
  /** It has names in capitals, which count as the others. */
  readonly isInCapitals?: boolean;
}

const ORDERS = [
  "(1, 'ada', 10, '2026-01-01 10:00', '2026-01-01 11:00')",
  "(2, 'ada', 20.5, '2026-01-02 10:00', '2026-01-04 11:00')",
  "(3, 'bob', -5, '2026-01-02 10:00', '2026-01-02 11:00')",
].join(', ');

function postgresPlace(name: string, scheme: string): Place {
  let server: PostgresServer | undefined;
  return {
    name,
    async start() {
      server = await startPostgres();
      const url = await server.newDatabase();
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(
        'CREATE SCHEMA sales; SET timezone = UTC; CREATE TABLE sales.orders ' +
          '(order_id int8, customer text, amount numeric(10, 2), ordered_at timestamptz, loaded_at timestamptz); ' +
          `INSERT INTO sales.orders VALUES ${ORDERS}`,
      );
      await client.end();
      return url.replace(/^postgres(ql)?:/, `${scheme}:`);
    },
    stop: async () => server?.stop(),
    written: (guide) => guide,
  };
}

function mysqlPlace(): Place {
  let server: MysqlServer | undefined;
  return {
    name: 'MySQL (MariaDB)',
    async start() {
      server = await startMysql();
      const client = await server.connect();
      await client.query(
        'CREATE TABLE shop.orders (order_id bigint, customer varchar(50), amount decimal(10, 2), ordered_at datetime(6), loaded_at datetime(6))',
      );
      await client.query(`INSERT INTO shop.orders VALUES ${ORDERS}`);
      await client.end();
      return server.url;
    },
    stop: async () => server?.stop(),
    written: (guide) =>
      guide
        .replaceAll('sales.orders', 'shop.orders')
        .replaceAll(/\bpostgres(?=[(,])/g, 'mysql')
        .replaceAll('amount::float8', 'CAST(amount AS DOUBLE)'),
  };
}

function snowflakePlace(): Place {
  let server: SnowflakeServer | undefined;
  return {
    name: 'Snowflake (fakesnow)',
    isInCapitals: true,
    async start() {
      server = await startSnowflake();
      const rows = ORDERS.replaceAll(/\((?=\d)/g, 'SELECT ')
        .replaceAll(/\), (?=SELECT)/g, ' UNION ALL ')
        .replace(/\)$/, '');
      // fakesnow's answer to an INSERT is one that the SDK can't take.
      await server.run([
        'CREATE SCHEMA IF NOT EXISTS shop.sales',
        `CREATE TABLE shop.sales.orders AS SELECT order_id, customer, CAST(amount AS NUMBER(10, 2)) AS amount,
          CAST(ordered_at AS TIMESTAMP_NTZ) AS ordered_at, CAST(loaded_at AS TIMESTAMP_NTZ) AS loaded_at
          FROM (${rows}) AS given(order_id, customer, amount, ordered_at, loaded_at)`,
      ]);
      return server.url;
    },
    prepare(project) {
      mkdirSync(project.file('node_modules'), { recursive: true });
      for (const name of readdirSync(SNOWFLAKE_PACKAGES))
        symlinkSync(join(SNOWFLAKE_PACKAGES, name), project.file(`node_modules/${name}`));
    },
    stop: async () => server?.stop(),
    written: (guide) =>
      guide.replaceAll(/\bpostgres(?=[(,])/g, 'snowflake').replaceAll('amount::float8', 'CAST(amount AS DOUBLE)'),
  };
}

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres) skipBecause('the guide on databases: no initdb and postgres found (Debian: postgresql)');
const hasMysql = findMysql() !== undefined;
if (!hasMysql) skipBecause('the guide on databases with MySQL: no mariadbd found (Debian: mariadb-server)');
if (!hasSnowflake())
  skipBecause(
    'the guide on databases with Snowflake: fakesnow and its SDK are not here (npm run test:heavy brings them)',
  );
const places: readonly Place[] = [
  ...(hasSnowflake() ? [snowflakePlace()] : []),
  // A Postgres that is asked as Redshift is.
  ...(hasPostgres ? [postgresPlace('Postgres', 'postgres'), postgresPlace('Redshift’s URL', 'redshift')] : []),
  ...(hasMysql ? [mysqlPlace()] : []),
];

describe.each(places)(
  'the guide on databases, with $name',
  ({ start, stop, prepare, written, isInCapitals = false }) => {
    let project: Project;
    let env: Record<string, string>;
    beforeAll(async () => {
      env = { SHOP_URL: await start() };
      project = createProject({
        'headrace.config.ts':
          "import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'shop' });\n",
        // Before the first order could be known, before the second, after it.
        'spine.csv':
          'customer,at\nada,2026-01-01T10:30:00Z\nada,2026-01-03T00:00:00Z\nada,2026-01-04T12:00:00Z\nbob,2026-01-04T12:00:00Z\n',
        'guide.md': written(readFileSync(GUIDE, 'utf8')),
      });
      prepare?.(project);
    }, 60_000);
    afterAll(async () => {
      project?.remove();
      await stop();
    });

    it('shows what its commands print, and its features are right', { timeout: 300_000 }, async () => {
      const all = runGuide(project.file('guide.md'), project, env);
      expect(all.length).toBe(2);
      const alike = (text: string) => (isInCapitals ? text.toLowerCase() : text);
      for (const { command, shown, printed } of all) expect(alike(printed), command).toBe(alike(shown));
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
  },
);
