// `headrace sources` as a user sees it: a definition that can be pasted as it is printed, and what is told of places that
// can't be read.

import { mkdirSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { findPostgres } from '../support/postgres-server.ts';
import { sharedPostgres } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';
import { testProject } from '../support/test-project.ts';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';

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
  const project = testProject({
    'feature_repo/empty.ts': 'export {};\n',
    'data/none': '',
    'data/visits.csv': 'visitor,seen at,stay\n1,2024-01-01 10:00:00,2.5\n2,2024-01-02 10:00:00,\n',
  });
  let env: Record<string, string> = {};
  const inspect = (...args: string[]) => headraceHere(project, ['sources', 'inspect', ...args], env);
  const inspected = (...args: string[]) => headraceHereJson(project, ['sources', 'inspect', ...args], env);
  beforeAll(async () => {
    const duckdb = await (await DuckDBInstance.create()).connect();
    const copy = async (columns: string, folder: string, file: string, how: string) => {
      mkdirSync(project.file(folder), { recursive: true });
      await duckdb.run(`COPY (SELECT ${columns}) TO '${project.file(`${folder}/${file}`)}' (FORMAT ${how})`);
    };
    await copy(COLUMNS, 'data', 'Shop Orders.parquet', 'parquet');
    const at = `TIMESTAMP '2026-01-31' AS "at"`;
    for (const region of ['north', 'south'])
      await copy(`${at}, 1 AS n`, `data/days/dt=2026-01-31/region=${region}`, '0.snappy.parquet', 'parquet');
    await copy(at, 'data/lake/hours/year=2026/month=01/day=31/h=7', 'a.csv.gz', 'csv, COMPRESSION gzip');
    duckdb.closeSync();
  });

  it('prints a definition that compiles as it is, of Parquet', async () => {
    const { stdout } = await inspect('data/Shop Orders.parquet');
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
    expect(await inspected('shop_orders')).toMatchObject({ definition: stdout.trimEnd() });
  });

  it('prints one of CSV by its text', async () => {
    const columns = [
      { name: 'visitor', type: 'BIGINT', declared: 'int64' },
      { name: 'seen at', type: 'TIMESTAMP', declared: 'timestamp' },
      { name: 'stay', type: 'DOUBLE', declared: 'float64' },
    ];
    const found = { kind: 'csv', name: 'seen', columns, eventTime: 'seen at' };
    expect(await inspected('data/visits.csv', '--name', 'seen')).toMatchObject(found);
  });

  it.each([
    ['data/gone.parquet', 'no file matches'],
    ['data/lake', '"../data/lake" holds files that lie in folders of it: hours. Name one of them.'],
    ['data/none', 'is of no kind that is known'],
    ['postgres://me:hunter2@127.0.0.1:1/db', '"postgres://me:***@127.0.0.1:1/db" is of no kind'],
    ['shop_order', 'Did you mean "shop_orders"?'],
    ['env:SHOP_URL', 'SHOP_URL is not set'],
    ['data/visits.csv --table x', 'HR_USAGE', 2],
  ])('says what is wrong with %s', async (words, why, code = 1) => {
    const { stderr, ...output } = await inspect(...words.split(' '));
    expect(output.code).toBe(code);
    expect(stderr).toContain(why);
    expect(stderr).not.toContain('hunter2');
  });

  it('looks into a folder, and says what its folders of days are for', async () => {
    expect((await inspect('data/days/')).stdout).toBe(`import { parquet, t } from 'headrace';

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
    expect(await inspected('data/lake/hours')).toMatchObject({
      location: { path: '../data/lake/hours/year=*/month=*/day=*/h=*/*.csv.gz' },
      partitions: { year: 'year', month: 'month', day: 'day', h: 'hour' },
    });
  });

  describe.runIf(findPostgres() !== undefined)('of a database', () => {
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
      expect((await inspect('env:SHOP_URL')).stdout).toBe(
        'sales.orders\n\nLook at one: headrace sources inspect env:SHOP_URL --table sales.orders\n',
      );
      const { stdout, stderr } = await inspect('env:SHOP_URL', '--table', 'sales.orders');
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
      const missing = { code: 1, stderr: expect.stringContaining('Did you mean "sales.orders"?') };
      expect(await inspect('env:SHOP_URL', '--table', 'sales.order')).toMatchObject(missing);
    });
  });
  if (findPostgres() === undefined)
    skipBecause('headrace sources of a database: no initdb and postgres found (Debian: postgresql)');
});

describe('headrace sources list', () => {
  const LONG = `SELECT id, at\n  FROM orders WHERE ${'x'.repeat(60)}`;
  const source = (name: string, kind: string, place: string): string => `
const ${name} = ${kind}('${name}', { columns: { id: t.int64(), at: t.timestamp() }, eventTime: 'at', ${place} });
export const ${name}_view = featureView('${name}_view', { entity: thing, source: ${name}, features: { n: count().over('1d') } });
`;
  const project = testProject({
    'feature_repo/all.ts': [
      "import { count, csv, entity, featureView, iceberg, postgres, pushed, t } from 'headrace';",
      "export const thing = entity('thing', { keys: { id: t.int64() } });",
      source('a_file', 'csv', "path: '../a.csv'"),
      source('b_table', 'postgres', "connection: 'env:SHOP', table: 'sales.orders'"),
      source('c_query', 'postgres', `connection: 'env:SHOP', query: ${JSON.stringify(LONG)}`),
      source('d_catalog', 'iceberg', "catalog: 'env:LAKE', table: 'sales.orders'"),
      source('e_pushed', 'pushed', ''),
    ].join('\n'),
  });

  it('shows where each lies: a path, a table, the beginning of a query, or nothing', async () => {
    const { stdout, stderr } = await headraceHere(project, ['sources', 'list']);
    expect(stderr).toBe('');
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ {2,}/).slice(0, 3)),
    ).toEqual([
      ['NAME', 'KIND', 'PLACE'],
      ['a_file', 'csv', '../a.csv'],
      ['b_table', 'postgres', 'env:SHOP sales.orders'],
      ['c_query', 'postgres', `env:SHOP (SELECT id, at FROM orders WHERE ${'x'.repeat(28)})`],
      ['d_catalog', 'iceberg', 'env:LAKE sales.orders'],
      ['e_pushed', 'pushed', '-'],
    ]);
  });
});
