// The project that the predict benchmark serves, with two endpoints. `live`: 12 stored features of which two are windows
// merged from what was materialized and what was pushed since, and one on demand. `given`: 30 floats, all in the request.
// Each has a model of its own, an MLP or a forest of 200 trees.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyRepository, fillOnline, openApp, readEnvironment, registerModelFile } from '../src/app/index.ts';
import { silentLogger, silentProgress } from '../src/core/index.ts';
import { openIngestion } from '../src/ingestion/index.ts';
import { mlpModel, treesModel } from '../test/support/onnx-model.ts';
import type { Values } from './check-answer.ts';

const USERS = 2000;
const COLUMNS = Array.from({ length: 10 }, (_, at) => `c${at}`);
const FEATURES = 13;
const GIVEN = Array.from({ length: 30 }, (_, at) => `f${at}`);
const BODIES = 500;
const EVENTS_PER_USER = 40;
const HOUR_MS = 3_600_000;

export interface PredictProject {
  readonly directory: string;
  readonly endpoints: Readonly<Record<'live' | 'given', EndpointBodies>>;
  remove(): void;
}

export interface EndpointBodies {
  /** Requests of one row, each with other keys or values. */
  readonly bodies: readonly string[];
  readonly onnx: Uint8Array;
  /** The features of a body's row at a time, in the model's order, by a plain computation. */
  expected(body: number, atMs: number): Values;
}

/** Writes, applies, materializes and pushes it. `onlineUrl` is absolute, or `lmdb:` relative to the project. */
export async function createPredictProject(onlineUrl: string, model: 'trees' | 'mlp'): Promise<PredictProject> {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  mkdirSync(join(directory, 'feature_repo', 'data'), { recursive: true });
  writeFileSync(
    join(directory, 'headrace.config.ts'),
    `export default { project: 'bench_${process.pid}_${model}', online: { url: ${JSON.stringify(onlineUrl)} } };\n`,
  );
  writeFileSync(join(directory, 'feature_repo', 'bench.ts'), repository());
  const environment = { ...readEnvironment({ HEADRACE_OFFLINE_MEMORY: '1GB' }), workingDirectory: directory };
  const onnx = (features: number) => (model === 'trees' ? treesModel(features, 200, 5) : mlpModel(features, 64));
  const nowMs = Date.now();
  const app = await openApp({ environment, logger: silentLogger });
  try {
    const connection = await (await app.duckdb()).connect();
    const file = join(directory, 'feature_repo', 'data', 'events.parquet');
    await connection.run(
      `COPY (SELECT 'user' || (i % ${USERS}) AS "user", ${COLUMNS.map((column, at) => `CAST((i * ${at + 1}) % 97 AS DOUBLE) AS ${column}`).join(', ')}, ` +
        `make_timestamp(CAST(${nowMs} AS BIGINT) * 1000 - CAST(i // ${USERS} + 2 AS BIGINT) * ${HOUR_MS}000) AS at FROM range(${USERS * EVENTS_PER_USER}) t(i)) TO '${file}' (FORMAT parquet)`,
    );
    connection.closeSync();
    await applyRepository(app, {});
    const definitions = await app.applied();
    await fillOnline(app, { incremental: false, dryRun: false }, { progress: silentProgress, tell: () => {} });
    const ingestion = openIngestion(await app.ingestion(), { definitions: () => definitions });
    await ingestion.push(
      'events',
      Array.from({ length: USERS }, (_, user) => ({
        user: `user${user}`,
        at: new Date(nowMs - PUSHED_BEFORE_MS).toISOString(),
        ...Object.fromEntries(COLUMNS.map((column, at) => [column, pushedValue(user, at)])),
      })),
    );
    await ingestion.close();
    await registerModelFile(app, { model: 'score', onnx: onnx(FEATURES) });
    await registerModelFile(app, { model: 'given_score', onnx: onnx(GIVEN.length) });
  } finally {
    await app.close();
  }
  return {
    directory,
    endpoints: {
      live: {
        bodies: bodies((n) => ({ user: `user${userOf(n)}`, x: n / 8 })),
        onnx: onnx(FEATURES),
        expected: (n, atMs) => storedFeatures(userOf(n), n / 8, nowMs, atMs),
      },
      given: {
        bodies: bodies((n) => givenRow(n)),
        onnx: onnx(GIVEN.length),
        expected: (n) =>
          Object.fromEntries(Object.entries(givenRow(n)).map(([name, value]) => [`sent__${name}`, value])),
      },
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

const PUSHED_BEFORE_MS = 1000;

function userOf(body: number): number {
  return (body * 7919) % USERS;
}

function pushedValue(user: number, column: number): number {
  return user % (column + 7);
}

function givenRow(body: number): Readonly<Record<string, number>> {
  return Object.fromEntries(GIVEN.map((name, at) => [name, ((body * 31 + at * 17) % 1000) / 7]));
}

/** By loops over the user's events as they were written at `nowMs`: those of the file, and then what was pushed. */
function storedFeatures(user: number, x: number, nowMs: number, atMs: number): Values {
  const events = Array.from({ length: EVENTS_PER_USER }, (_, nth) => ({
    atMs: nowMs - (nth + 2) * HOUR_MS,
    c0: (nth * USERS + user) % 97,
  }));
  events.push({ atMs: nowMs - PUSHED_BEFORE_MS, c0: pushedValue(user, 0) });
  // A window of up to twelve days has a tail aligned to the hour.
  const since = (windowMs: number): number => Math.floor((atMs - windowMs) / HOUR_MS) * HOUR_MS;
  const inWindow = (days: number) => events.filter((event) => event.atMs >= since(days * 24 * HOUR_MS));
  const week = inWindow(7);
  const mean = week.reduce((sum, { c0 }) => sum + c0, 0) / week.length;
  return {
    ...Object.fromEntries(COLUMNS.map((column, at) => [`view__${column}`, pushedValue(user, at)])),
    view__events_1d: inWindow(1).length,
    view__mean_7d: mean,
    demand__ratio: x / mean,
  };
}

function bodies(rowOf: (n: number) => object): readonly string[] {
  return Array.from({ length: BODIES }, (_, n) => JSON.stringify({ inputs: [rowOf(n)] }));
}

function repository(): string {
  return `import { count, endpoint, entity, featureService, featureView, latest, mean, model, onDemandView, parquet, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
export const events = parquet('events', {
  path: 'data/*.parquet',
  columns: { user: t.string(), ${COLUMNS.map((column) => `${column}: t.float64()`).join(', ')}, at: t.timestamp() },
  eventTime: 'at',
});
export const view = featureView('view', {
  entity: user, source: events,
  features: { ${COLUMNS.map((column) => `${column}: latest('${column}')`).join(', ')}, events_1d: count().over('1d'), mean_7d: mean('c0').over('7d') },
});
export const demand = onDemandView('demand', {
  inputs: { request: { x: t.float64() }, view },
  features: { ratio: t.float64() },
  transform: ({ request, view }) => ({ ratio: request.x != null && view.mean_7d ? request.x / view.mean_7d : null }),
});
export const service = featureService('service', [view, demand]);
export const score = model('score', { features: service, outputs: { probability: t.float32() } });
export const live = endpoint('live', { model: score, unit: ['user'] });
export const sent = onDemandView('sent', {
  inputs: { request: { ${GIVEN.map((name) => `${name}: t.float32()`).join(', ')} } },
  features: { ${GIVEN.map((name) => `${name}: t.float32()`).join(', ')} },
  transform: ({ request }) => request,
});
export const sentService = featureService('sent_service', [sent]);
export const givenScore = model('given_score', { features: sentService, outputs: { probability: t.float32() } });
export const given = endpoint('given', { model: givenScore, unit: ['f0'] });
`;
}
