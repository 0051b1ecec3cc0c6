// `headrace sources` as a user sees it: a definition that can be pasted as it is printed, and what is told of places that
// can't be read.

import { mkdirSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';
import { findPostgres } from '../support/postgres-server.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';
import { sharedPostgres } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';

const COLUMNS = `
  CAST(1 AS BIGINT) AS id, CAST('a' AS VARCHAR) AS "ship to", 1.5 AS price, CAST(12 AS DECIMAL(18,0)) AS pieces,
  TIMESTAMP '2024-01-01' AS updated_at, TIMESTAMPTZ '2024-01-01' AS ordered_at, DATE '2024-01-01' AS due,
  [1, 2] AS marks, CAST([1, 2] AS FLOAT[2]) AS place, {a: 1} AS extra, CAST('x' AS BLOB) AS raw, true AS paid`;

/** Something that reads the source, for a repository that is whole. */
const VIEW = (
  source: string,
  file: string,
  key: string,
): string => `import { count, entity, featureView, t } from 'headrace';
import { ${source} } from './${file}';
export const thing = entity('thing_${source}', { keys: { ${key}: t.int64() } });
export const things = featureView('things_${source}', { entity: thing, source: ${source}, features: { n: count().over('1d') } });
`;

describe('headrace sources', () => {
  let project: Project;
  beforeAll(async () => {
    project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/empty.ts': 'export {};\n', 'data/none': '' });
    const duckdb = await (await DuckDBInstance.create()).connect();
    await duckdb.run(`COPY (SELECT ${COLUMNS}) TO '${project.file('data/Shop Orders.parquet')}' (FORMAT parquet)`);
    const hours = project.file('data/lake/hours/year=2026/month=01/day=31/h=7');
    for (const region of ['north', 'south']) {
      const folder = project.file(`data/days/dt=2026-01-31/region=${region}`);
      mkdirSync(folder, { recursive: true });
      await duckdb.run(
        `COPY (SELECT TIMESTAMP '2026-01-31' AS "at", 1 AS n) TO '${folder}/0.snappy.parquet' (FORMAT parquet)`,
      );
    }
    mkdirSync(hours, { recursive: true });
    await duckdb.run(
      `COPY (SELECT TIMESTAMP '2026-01-31' AS "at") TO '${hours}/a.csv.gz' (FORMAT csv, COMPRESSION gzip)`,
    );
    duckdb.closeSync();
    project.write('data/visits.csv', 'visitor,seen at,stay\n1,2024-01-01 10:00:00,2.5\n2,2024-01-02 10:00:00,\n');
  });
  afterAll(() => project.remove());

  it('prints a definition that compiles as it is, of Parquet', async () => {
    const { stdout } = await headraceHere(project, ['sources', 'inspect', 'data/Shop Orders.parquet']);
    expect(stdout).toBe(`import { parquet, t } from 'headrace';

export const shopOrders = parquet('shop_orders', {
  path: '../data/Shop Orders.parquet',
  columns: {
    id: t.int64(),
    'ship to': t.string(),
    price: t.float64(),
    pieces: t.int64(),
    updated_at: t.timestamp(),
    ordered_at: t.timestamp(),
    due: t.timestamp(),
    marks: t.list(t.int32()),
    place: t.list(t.float32()),
    // extra: STRUCT(a INTEGER) can be no column
    raw: t.bytes(),
    paid: t.bool(),
  },
  eventTime: 'ordered_at', // when it happened; or: 'updated_at', 'due'
  // knownTime: 'updated_at', // when we could know it, if later than that; or { after: '1h' }
});
`);
    project.write('feature_repo/orders.ts', stdout);
    project.write('feature_repo/views.ts', VIEW('shopOrders', 'orders.ts', 'id'));
    expect((await headraceHere(project, ['plan'])).code).toBe(2);
    expect((await headraceHere(project, ['sources', 'list'])).stdout).toMatch(
      /^NAME +KIND +PLACE +COLUMNS +TIME\nshop_orders +parquet +\.\.\/data\/Shop Orders\.parquet +11 +ordered_at\n$/,
    );
    const again = (await headraceHereJson(project, ['sources', 'inspect', 'shop_orders'])) as {
      definition: string;
      eventTime: string;
    };
    expect(`${again.definition}\n`).toBe(stdout);
  });

  it('prints one of CSV by its text, and says what is wrong with a place', async () => {
    const found = await headraceHereJson(project, ['sources', 'inspect', 'data/visits.csv', '--name', 'seen']);
    expect(found).toMatchObject({
      kind: 'csv',
      name: 'seen',
      columns: [
        { name: 'visitor', type: 'BIGINT', declared: 'int64' },
        { name: 'seen at', type: 'TIMESTAMP', declared: 'timestamp' },
        { name: 'stay', type: 'DOUBLE', declared: 'float64' },
      ],
      eventTime: 'seen at',
    });
    const wrong = (...args: string[]) => headraceHere(project, ['sources', 'inspect', ...args]);
    expect(await wrong('data/gone.parquet')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no file matches'),
    });
    expect(await wrong('data/lake')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"../data/lake" holds files that lie in folders of it: hours. Name one of them.'),
    });
    expect(await wrong('data/none')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is of no kind that is known'),
    });
    const withPassword = await wrong('postgres://me:hunter2@127.0.0.1:1/db');
    expect(withPassword.stderr).toContain('"postgres://me:***@127.0.0.1:1/db" is of no kind');
    expect(withPassword.stderr).not.toContain('hunter2');
    expect(await wrong('shop_order')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Did you mean "shop_orders"?'),
    });
    expect(await wrong('data/visits.csv', '--table', 'x')).toMatchObject({ code: 2 });
    expect(await wrong('env:SHOP_URL')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('SHOP_URL is not set'),
    });
  });

  it('looks into a folder, and says what its folders of days are for', async () => {
    const { stdout } = await headraceHere(project, ['sources', 'inspect', 'data/days/']);
    expect(stdout).toBe(`import { parquet, t } from 'headrace';

export const days = parquet('days', {
  path: '../data/days/dt=*/region=*/*.parquet',
  // partitions: { dt: 'date' }, // where that is the day of the event time in UTC: runs open only the files they need
  columns: {
    at: t.timestamp(),
    n: t.int32(),
    dt: t.string(),
    region: t.string(),
  },
  eventTime: 'at', // when it happened
  // knownTime: '…', // when we could know it, if later than that; or { after: '1h' }
});
`);
    expect(await headraceHereJson(project, ['sources', 'inspect', 'data/lake/hours'])).toMatchObject({
      location: { path: '../data/lake/hours/year=*/month=*/day=*/h=*/*.csv.gz' },
      partitions: { year: 'year', month: 'month', day: 'day', h: 'hour' },
    });
  });

  describe.runIf(findPostgres() !== undefined)('of a database', () => {
    let env: Record<string, string>;
    beforeAll(async () => {
      env = { SHOP_URL: (await (await sharedPostgres()).newDatabase()).replace('headrace@', 'headrace:hunter2@') };
      const client = new pg.Client({ connectionString: env['SHOP_URL'] });
      await client.connect();
      await client.query(
        'CREATE SCHEMA sales; CREATE TABLE sales.orders (order_id int8, tags text[], price numeric(12, 2), took interval, at timestamptz)',
      );
      await client.end();
    });

    it('lists its tables, and prints a definition of one that compiles', async () => {
      expect((await headraceHere(project, ['sources', 'inspect', 'env:SHOP_URL'], env)).stdout).toBe(
        'sales.orders\n\nLook at one: headrace sources inspect env:SHOP_URL --table sales.orders\n',
      );
      const { stdout, stderr } = await headraceHere(
        project,
        ['sources', 'inspect', 'env:SHOP_URL', '--table', 'sales.orders'],
        env,
      );
      expect(stdout).toBe(`import { postgres, t } from 'headrace';

export const orders = postgres('orders', {
  connection: 'env:SHOP_URL',
  table: 'sales.orders',
  columns: {
    order_id: t.int64(),
    tags: t.list(t.string()),
    price: t.float64(),
    // took: interval can be no column
    at: t.timestamp(),
  },
  eventTime: 'at', // when it happened
  // knownTime: '…', // when we could know it, if later than that; or { after: '1h' }
});
`);
      expect(stdout + stderr).not.toContain('hunter2');
      project.write('feature_repo/orders-table.ts', stdout);
      project.write('feature_repo/order-views.ts', VIEW('orders', 'orders-table.ts', 'order_id'));
      expect((await headraceHere(project, ['plan'], env)).code).toBe(2);
      const missing = await headraceHere(
        project,
        ['sources', 'inspect', 'env:SHOP_URL', '--table', 'sales.order'],
        env,
      );
      expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean "sales.orders"?') });
    });
  });
  if (findPostgres() === undefined)
    skipBecause('headrace sources of a database: no initdb and postgres found (Debian: postgresql)');
});
