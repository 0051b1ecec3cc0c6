// A project whose endpoint is predicted in batches, by stored features and one of the request, which throws for a price of −1.

import { join } from 'node:path';
import { openDuckDb } from '../../src/storage/index.ts';
import { headraceHereJson } from './typed-command.ts';
import { lookUpModel, treesModel } from './onnx-model.ts';
import { createProject, type Project } from './serving-project.ts';

const REPOSITORY = `import { count, endpoint, entity, featureService, featureView, latest, mean, model, onDemandView, parquet, sum, t } from 'headrace';

export const shop = entity('shop', { keys: { shop: t.string() } });
export const sales = parquet('sales', {
  path: '../data/sales.parquet',
  columns: { shop: t.string(), amount: t.float64(), points: t.int64(), sold_at: t.timestamp() },
  eventTime: 'sold_at',
});
export const history = featureView('history', {
  entity: shop, source: sales, ttl: '30d',
  features: { last_amount: latest('amount'), sales_1d: count().over('1d'), mean_7d: mean('amount').over('7d'), points_7d: sum('points').over('7d') },
});
export const basket = onDemandView('basket', {
  inputs: { request: { price: t.float64(), pieces: t.int32().default(1) }, shop: history },
  features: { ratio: t.float64(), weight: t.float32() },
  transform: ({ request, shop }) => {
    if (request.price === -1) throw new Error('no such price');
    const price = request.price ?? 0;
    return { ratio: shop.mean_7d ? price / shop.mean_7d : null, weight: (price * (request.pieces ?? 1)) / 3 };
  },
});
export const ask = onDemandView('ask', {
  inputs: { request: { price: t.float64() } }, features: { place: t.float64() },
  transform: ({ request }) => ({ place: request.price }),
});
export const shop_features = featureService('shop_features', [history, basket]);
export const places = featureService('places', [ask]);
export const score = model('score', { features: shop_features, outputs: { probability: t.float32() } });
export const placed = model('placed', { features: places, outputs: { ten: t.float32() } });
export const shops = endpoint('shops', { model: score, unit: ['shop'] });
export const table = endpoint('table', { model: placed, unit: ['price'] });
`;

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shops', offline: { memory: '1GB', threads: 2 } });
`;

/** Ten thousand sales of 100 shops in the 20 days before `endMs`, applied, with two versions of `score`; 1 is served. */
export async function createPredictProject(endMs: number): Promise<Project> {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shops.ts': REPOSITORY,
    'data/.keep': '',
    'trees.onnx': treesModel(6, 60, 4),
    'other.onnx': treesModel(6, 20, 3),
    'look-up.onnx': lookUpModel(),
  });
  await writeRows(
    project.file('data/sales.parquet'),
    `SELECT 'shop' || (i * 7919 % 100) AS shop, sin(i) AS amount, CAST(i % 13 AS BIGINT) AS points,
      make_timestamp(CAST(${endMs} AS BIGINT) * 1000 - CAST(i AS BIGINT) * 172800000 - 600000000) AS sold_at FROM range(10000) t(i)`,
  );
  await headraceHereJson(project, ['apply']);
  await headraceHereJson(project, ['models', 'register', 'score', 'trees.onnx', '--alias', 'champion']);
  await headraceHereJson(project, ['models', 'register', 'score', 'other.onnx']);
  await headraceHereJson(project, ['models', 'register', 'placed', 'look-up.onnx']);
  return project;
}

/** SQL of rows to be predicted: some of shops that nobody knows, times in the 15 days before `endMs`. */
export const inputSql = (rows: number, endMs: number, from = 0): string =>
  `SELECT CAST(i AS BIGINT) + 9007199254740993 AS id, 'shop' || (i * 13 % 110) AS shop, cos(i) AS price,
    CASE WHEN i % 3 > 0 THEN CAST(i % 7 AS INTEGER) END AS pieces,
    make_timestamp(CAST(${endMs} AS BIGINT) * 1000 - CAST(i * 7919 % 1296000 AS BIGINT) * 1000000) AS at FROM range(${from}, ${from + rows}) t(i)`;

/** Writes what a query gives as Parquet or CSV, by the path's ending. */
export async function writeRows(path: string, sql: string): Promise<void> {
  await inDuckDb((run) =>
    run(`COPY (${sql}) TO '${path}' (${path.endsWith('.csv') ? 'FORMAT csv' : 'FORMAT parquet'})`),
  );
}

/** The rows of a query, whose file names are absolute, as JSON data. */
export async function readRows(sql: string): Promise<Record<string, unknown>[]> {
  return inDuckDb(async (run) => run(sql)) as Promise<Record<string, unknown>[]>;
}

/** A batch's parts in order. */
export const partsOf = (folder: string, format = 'parquet'): string =>
  format === 'csv' ? `read_csv('${join(folder, 'part-*.csv')}')` : `read_parquet('${join(folder, 'part-*.parquet')}')`;

async function inDuckDb<T>(work: (run: (sql: string) => Promise<object[]>) => Promise<T>): Promise<T> {
  const duckdb = await openDuckDb({
    tempDirectory: join(import.meta.dirname, '../../node_modules/.cache/predict-spill'),
  });
  const connection = await duckdb.connect();
  try {
    return await work(async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJS());
  } finally {
    connection.closeSync();
    await duckdb.close();
  }
}
