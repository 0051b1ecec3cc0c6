// The guide on databases, on the real servers, with all that it shows.
// twin: test/contract/sources.test.ts > a source of $name
// twin: test/e2e/sources-command.test.ts > of a database

import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { findMysql, startMysql } from '../support/mysql-server.ts';
import { findPostgres } from '../support/postgres-server.ts';
import { readRows } from '../support/predict-project.ts';
import { runGuide } from '../support/run-guide.ts';
import { sharedPostgres } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';
import { hasSnowflake, SNOWFLAKE_PACKAGES, startSnowflake } from '../support/snowflake-server.ts';
import { ownProject } from '../support/test-project.ts';

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/guides/databases.md'), 'utf8');
const ORDERS = [
  "(1, 'ada', 10, '2026-01-01 10:00', '2026-01-01 11:00')",
  "(2, 'ada', 20.5, '2026-01-02 10:00', '2026-01-04 11:00')",
  "(3, 'bob', -5, '2026-01-02 10:00', '2026-01-02 11:00')",
].join(', ');

interface Place {
  readonly name: string;
  readonly isHere: boolean;
  /** Fills it with the guide's orders until the test ends, and gives its URL. */
  start(): Promise<string>;
  /** What its reader writes where the guide shows Postgres; as it is when left out. */
  readonly written?: (guide: string) => string;
  /** Fakesnow's: the reader installs the SDK, and names in capitals count as the others. */
  readonly isSnowflake?: boolean;
}
const postgres = (name: string, scheme: string): Place => ({
  name,
  isHere: findPostgres() !== undefined,
  async start() {
    const url = await (await sharedPostgres()).newDatabase();
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
});
const places: readonly Place[] = [
  postgres('Postgres', 'postgres'),
  // A Postgres that is asked as Redshift is.
  postgres('Redshift’s URL', 'redshift'),
  {
    name: 'MySQL (MariaDB)',
    isHere: findMysql() !== undefined,
    async start() {
      const server = await startMysql();
      onTestFinished(() => server.stop());
      const client = await server.connect();
      await client.query(
        'CREATE TABLE shop.orders (order_id bigint, customer varchar(50), amount decimal(10, 2), ordered_at datetime(6), loaded_at datetime(6))',
      );
      await client.query(`INSERT INTO shop.orders VALUES ${ORDERS}`);
      await client.end();
      return server.url;
    },
    written: (guide) => guide.replaceAll('sales.orders', 'shop.orders').replaceAll(/\bpostgres(?=[(,])/g, 'mysql'),
  },
  {
    name: 'Snowflake (fakesnow)',
    isHere: hasSnowflake(),
    isSnowflake: true,
    async start() {
      const server = await startSnowflake();
      onTestFinished(() => server.stop());
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
    written: (guide) => guide.replaceAll(/\bpostgres(?=[(,])/g, 'snowflake'),
  },
];
for (const { name, isHere } of places)
  if (!isHere)
    skipBecause(
      `the guide on databases with ${name}: its server is not on this machine (npm run test:heavy brings fakesnow)`,
    );

it.each(places.filter(({ isHere }) => isHere))(
  'shows what its commands print with $name, and its features are right',
  { timeout: 300_000 },
  async ({ start, written, isSnowflake = false }) => {
    const env = { SHOP_URL: await start() };
    const guide = written?.(GUIDE).replaceAll('amount::float8', 'CAST(amount AS DOUBLE)') ?? GUIDE;
    const times = ['ada,2026-01-01T10:30', 'ada,2026-01-03T00:00', 'ada,2026-01-04T12:00', 'bob,2026-01-04T12:00'];
    const project = ownProject({
      // Before the first order could be known, before the second, after it.
      'spine.csv': `customer,at\n${times.map((line) => `${line}:00Z\n`).join('')}`,
      'guide.md': guide,
    });
    if (isSnowflake) {
      mkdirSync(project.file('node_modules'));
      for (const name of readdirSync(SNOWFLAKE_PACKAGES))
        symlinkSync(join(SNOWFLAKE_PACKAGES, name), project.file(`node_modules/${name}`));
    }
    const all = runGuide(project.file('guide.md'), project, env);
    expect(all.length).toBe(2);
    const alike = (text: string) => (isSnowflake ? text.toLowerCase() : text);
    for (const { command, shown, printed } of all) expect(alike(printed), command).toBe(alike(shown));
    const get =
      'features get --service buying --rows [{"customer":"ada"},{"customer":"bob"}] --at 2026-01-05T00:00:00Z';
    expect(project.json(get, env)).toMatchObject({
      rows: [
        { features: { spending__orders_7d: 2, spending__mean_amount_7d: 15.25 } },
        { features: { spending__orders_7d: 1, spending__mean_amount_7d: -5 } },
      ],
    });
    const made = await readRows(`FROM '${project.file('train.parquet')}'`);
    expect(made.map((row) => row['spending__orders_7d'])).toEqual([0n, 1n, 2n, 1n]);
  },
);
