// A project with sales of the past in a file, a service over them, and a server of it: for tests of training sets over HTTP.

import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { streamArrow } from '../../src/offline/index.ts';
import { openDuckDb } from '../../src/storage/index.ts';
import { createProject, headraceJson, type Project } from './serving-project.ts';

const REPOSITORY = `import { count, entity, featureService, featureView, latest, mean, onDemandView, parquet, sum, t } from 'headrace';

export const shop = entity('shop', { keys: { shop: t.string() } });
export const sales = parquet('sales', {
  path: '../data/sales-*.parquet',
  columns: { shop: t.string(), amount: t.float64(), points: t.int64(), sold_at: t.timestamp() },
  derive: { is_big: [t.float64(), (row) => { if (row.amount === -1) throw new Error('the secret is 42'); return (row.amount ?? 0) > 50 ? 1 : 0; }] },
  eventTime: 'sold_at',
});
export const history = featureView('history', {
  entity: shop, source: sales, ttl: '30d',
  features: {
    last_amount: latest('amount'), last_points: latest('points'), last_sold: latest('sold_at'),
    sales_1d: count().over('1d'), mean_7d: mean('amount').over('7d'), points_7d: sum('points').over('7d'),
  },
});
export const big = featureView('big', { entity: shop, source: sales, features: { big_7d: sum('is_big').over('7d') } });
export const basket = onDemandView('basket', {
  inputs: { request: { price: t.float64().optional() }, shop: history },
  features: { ratio: t.float64() },
  transform: ({ request, shop }) => ({ ratio: request.price != null && shop.mean_7d ? request.price / shop.mean_7d : null }),
});
export const shop_features = featureService('shop_features', [history, basket]);
export const throwing = featureService('throwing', [big]);
`;

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop' });
`;

/** Sales of 100 shops in January 2024, applied; `rows` of them. */
export async function createTrainingSetProject(
  rows = 20_000,
  env: Readonly<Record<string, string>> = {},
): Promise<Project> {
  const project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY, 'data/.keep': '' });
  await writeBySql(
    project.file('data/sales-1.parquet'),
    `SELECT 'shop' || (i * 7919 % 100) AS shop, CAST(i * 31 % 997 AS DOUBLE) / 10 AS amount,
      9007199254740993 + i AS points, TIMESTAMP '2024-01-01' + to_microseconds((i * 30 * 86400000000) // ${rows}) AS sold_at
      FROM range(${rows}) t(i)`,
  );
  headraceJson(project, ['apply'], env);
  return project;
}

/** SQL of a spine of `rows` rows: keys, a request column, a label, a time; some keys are null or unknown. */
export const spineSql = (rows: number, from = 0): string =>
  `SELECT CASE WHEN i % 50 = 7 THEN NULL ELSE 'shop' || (i * 13 % 110) END AS shop, CAST(i % 100 AS DOUBLE) AS price, i % 3 = 0 AS late,
    CAST(i AS BIGINT) + 9007199254740993 AS order_id, TIMESTAMP '2024-01-05' + to_microseconds((i * 7919 % 2000000) * 1000000) AS at
    FROM range(${from}, ${from + rows}) t(i)`;

/** Writes what a query gives: Parquet or, by the file's name, CSV. */
export async function writeBySql(path: string, sql: string): Promise<void> {
  const duckdb = await openDuckDb({ tempDirectory: join(path, '../.spill') });
  const connection = await duckdb.connect();
  try {
    const format = path.endsWith('.csv') ? 'FORMAT csv, HEADER true' : 'FORMAT parquet';
    await connection.run(`COPY (${sql}) TO '${path}' (${format})`);
  } finally {
    connection.closeSync();
    await duckdb.close();
  }
}

/** The rows of a Parquet file as an Arrow IPC stream. */
export async function arrowOf(path: string): Promise<Buffer> {
  const duckdb = await openDuckDb({ tempDirectory: join(path, '../.spill') });
  try {
    const out = new PassThrough();
    const bytes = out.toArray();
    await streamArrow(duckdb, path, out, new Set());
    return Buffer.concat(await bytes);
  } finally {
    await duckdb.close();
  }
}
