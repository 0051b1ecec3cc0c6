// A project with sales of the past in a file, a service over them, and a server of it: for tests of training sets over HTTP.

import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type App, applyRepository, openApp, readEnvironment } from '../../src/app/index.ts';
import { serveInProcess } from '../../src/app/serve-worker.ts';
import { type Logger, silentLogger, silentProgress } from '../../src/core/index.ts';
import {
  createTrainingSet,
  jobError,
  runJob,
  type StartJobProcess,
  streamArrow,
  tellProgress,
  type TrainingSetRequest,
} from '../../src/offline/index.ts';
import { openDuckDb } from '../../src/storage/index.ts';
import { CONFIG, createProject, type Project } from './serving-project.ts';

const REPOSITORY = `import { count, endpoint, entity, featureService, featureView, latest, mean, model, onDemandView, parquet, sum, t } from 'headrace';

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
export const numbers = featureService('numbers', [history.pick('sales_1d', 'mean_7d')]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['shop'] });
`;

/** Sales of 100 shops in January 2024, applied; `rows` of them. */
export async function createTrainingSetProject(rows = 20_000): Promise<Project> {
  const project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY, 'data/.keep': '' });
  await writeBySql(
    project.file('data/sales-1.parquet'),
    `SELECT 'shop' || (i * 7919 % 100) AS shop, CAST(i * 31 % 997 AS DOUBLE) / 10 AS amount,
      9007199254740993 + i AS points, TIMESTAMP '2024-01-01' + to_microseconds((i * 30 * 86400000000) // ${rows}) AS sold_at
      FROM range(${rows}) t(i)`,
  );
  const app = await openIn(project);
  await applyRepository(app, {});
  await app.close();
  return project;
}

const openIn = (
  project: Project,
  settings: Readonly<Record<string, string>> = {},
  logger = silentLogger,
): Promise<App> =>
  openApp({ environment: { ...readEnvironment(settings), workingDirectory: project.directory }, logger });

export type TrainingSetServing = Awaited<ReturnType<typeof serveTrainingSets>>;

interface ServedTrainingSets {
  readonly settings?: Readonly<Record<string, string>>;
  readonly logger?: Logger;
  readonly start?: StartJobProcess;
}

/** Serves the project in this process, where its jobs run, too, unless it says how they `start`. */
export async function serveTrainingSets(
  project: Project,
  { settings = {}, logger = silentLogger, start }: ServedTrainingSets = {},
) {
  const app = await openIn(project, settings, logger);
  const serving = await serveInProcess(app, {
    host: '127.0.0.1',
    port: 0,
    hasDocs: false,
    startJob: start ?? jobsOf(app),
  });
  return {
    app,
    url: serving.url,
    /** Makes a set as the command does, into the project's folder. */
    async make({ spine, out, ...more }: Pick<TrainingSetRequest, 'spine' | 'out'> & Partial<TrainingSetRequest>) {
      const [service, timestamp, labels, boundary] = ['shop_features', 'at', ['late'], 'at'] as const;
      const request = { service, timestamp, labels, boundary, directory: project.directory, ...more };
      return createTrainingSet(await app.offline(silentProgress), { ...request, spine, out: project.file(out) });
    },
    async stop(): Promise<void> {
      await serving.stop();
      await app.close();
    },
  };
}

/** Jobs in this process. One that is killed works on to its end, which nobody hears of. */
const jobsOf =
  (app: App): StartJobProcess =>
  (job, heard) => {
    const { promise: ended, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    const work = async (): Promise<void> => {
      try {
        const progress = tellProgress((told) => heard({ kind: 'progress', progress: told }));
        const { id, unshipped = [] } = await runJob(await app.offline(progress), job);
        heard({ kind: 'done', trainingSet: id, unshipped });
      } catch (thrown) {
        app.logger.warn({ err: thrown }, 'a training set could not be made');
        heard({ kind: 'failed', error: jobError(thrown, job.isLocal) });
      }
      resolve({ code: 0, signal: null });
    };
    void work();
    return { ended, kill: () => resolve({ code: null, signal: 'SIGKILL' }) };
  };

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
