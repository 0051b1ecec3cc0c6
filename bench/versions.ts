// What change costs: a push and a prediction while two versions of every view stand side by side, beside one; filling a
// version, beside a view's first run; and how soon all servers serve what was applied.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, applyRepository, openApp, readEnvironment, waitForServers } from '../src/app/index.ts';
import { silentLogger, silentProgress } from '../src/core/index.ts';
import { completeVersions, materialize } from '../src/offline/index.ts';
import { median } from './median.ts';
import { pushLoadApart, type PushLoadResult } from './push-load.ts';
import { createPushProject, type PushProject, type PushedSource } from './push-project.ts';
import { type Figure, type Section, whole } from './report.ts';
import { type BenchServer, startHeadrace } from './servers.ts';

export interface MeasureVersions {
  /** Default: LMDB in the project's folder. */
  readonly onlineUrl?: string | undefined;
  readonly rounds: number;
  readonly seconds: number;
  /** Keys whose history is filled in. */
  readonly keys: number;
  readonly applies: number;
}

const CONNECTIONS = 64;
const USERS = 10_000;
const MOST_OF_ONE = 1.6;
const MOST_APPLY_MS = 1000;
/** As much as two runs of the same differ. */
const MOST_OF_FIRST_RUN = 1.25;
const MOST_OF_PREDICT = 1.1;

export async function measureVersions(options: MeasureVersions): Promise<readonly Figure[]> {
  const { onlineUrl = 'lmdb:.headrace/online' } = options;
  const store = onlineUrl.split(':')[0] ?? '';
  // Under names of their own: both may lie in one Redis.
  const [one, two] = [await createPushProject(onlineUrl), await createPushProject(onlineUrl, 'two')];
  const servers: BenchServer[] = [];
  try {
    await changeFeatures(two);
    servers.push(await startHeadrace(one.directory), await startHeadrace(two.directory));
    const [alone, beside] = servers.map(({ url }) => url) as [string, string];
    const figures: Figure[] = [];
    for (const source of ['floats', 'amounts'] as const) {
      figures.push(await measurePushes(options, store, source, alone, beside));
    }
    figures.push(await measurePredictions(options, store, alone, beside));
    figures.push(await measureApplies(options, store, one));
    figures.push(await measureBackfill(options, store, two));
    return figures;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    one.remove();
    two.remove();
  }
}

export function versionsSection(figures: readonly Figure[]): Section {
  return {
    title: 'Versions side by side',
    about:
      'Two servers of one worker each; of the second, both views were changed and applied again, so that each push is folded into two versions. Pushes: one event a request over 64 connections, 10,000 keys, rounds of both in turn. Filling a version: a run of every key, from Parquet, beside the first run of the version before it. Apply: from its commit until the last of three servers says that it serves it.',
    figures,
  };
}

async function measurePushes(
  { rounds, seconds }: MeasureVersions,
  store: string,
  source: PushedSource,
  alone: string,
  beside: string,
): Promise<Figure> {
  const load = { source, rows: 1, users: USERS, connections: CONNECTIONS };
  const run = (server: string, of: number) =>
    pushLoadApart({ ...load, url: `${server}/v1/sources/${source}/push`, seconds: of });
  const { one, two } = await inTurn(
    rounds,
    seconds,
    (of) => run(alone, of),
    (of) => run(beside, of),
  );
  const ratio = rate(one) / rate(two);
  const name = source === 'floats' ? 'latest row of ten floats' : 'three windows';
  return compared(`${store}, a push into two versions, ${name}`, one, two, ratio, MOST_OF_ONE);
}

async function measurePredictions(
  { rounds, seconds }: MeasureVersions,
  store: string,
  alone: string,
  beside: string,
): Promise<Figure> {
  const load = { source: 'floats', rows: 1, users: USERS, connections: CONNECTIONS } as const;
  const body = JSON.stringify({ inputs: [{ user: 'user7' }] });
  const run = (server: string, of: number) =>
    pushLoadApart({ ...load, url: `${server}/v1/endpoints/live/predict`, body, seconds: of });
  const { one, two } = await inTurn(
    rounds,
    seconds,
    (of) => run(alone, of),
    (of) => run(beside, of),
  );
  return compared(`${store}, a prediction beside two versions`, one, two, rate(one) / rate(two), MOST_OF_PREDICT);
}

function compared(
  name: string,
  one: readonly PushLoadResult[],
  two: readonly PushLoadResult[],
  ratio: number,
  most: number,
): Figure {
  const failures = [...one, ...two].reduce((sum, result) => sum + result.failures, 0);
  return {
    name,
    value: `${whole(rate(two))}/s`,
    floor: `one version: ${whole(rate(one))}/s`,
    ratio: ratio.toFixed(3),
    mustBe: `≤ ${most} × one`,
    isReached: ratio <= most && failures === 0,
  };
}

async function inTurn(
  rounds: number,
  seconds: number,
  one: (seconds: number) => Promise<PushLoadResult>,
  two: (seconds: number) => Promise<PushLoadResult>,
): Promise<{ readonly one: readonly PushLoadResult[]; readonly two: readonly PushLoadResult[] }> {
  await one(1);
  await two(1);
  const results = { one: [] as PushLoadResult[], two: [] as PushLoadResult[] };
  for (let round = 0; round < rounds; round++) {
    results.one.push(await one(seconds));
    results.two.push(await two(seconds));
  }
  return results;
}

const rate = (results: readonly PushLoadResult[]): number =>
  median(results.map(({ requestsPerSecond }) => requestsPerSecond));

/** Other windows, and another bound of the latest row: another version of both views. */
async function changeFeatures(project: PushProject, minutes = 61): Promise<void> {
  const file = join(project.directory, 'feature_repo/bench.ts');
  const text = readFileSync(file, 'utf8')
    .replace(/\.over\('(1h|\d+m)'\)/, `.over('${minutes}m')`)
    .replace(/source: floats,( ttl: '\d+d',)?/, `source: floats, ttl: '${minutes}d',`);
  writeFileSync(file, text);
  await withApp(project, (app) => applyRepository(app, { allowBreaking: true }));
}

async function withApp<T>(project: PushProject, work: (app: App) => Promise<T>): Promise<T> {
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

/** From the commit until the last server tells that it serves it; they look a few times a second. */
async function measureApplies({ applies }: MeasureVersions, store: string, project: PushProject): Promise<Figure> {
  // Beside the one that runs.
  const servers = [await startHeadrace(project.directory), await startHeadrace(project.directory)];
  try {
    const tookMs: number[] = [];
    for (let round = 0; round < applies; round++) {
      const file = join(project.directory, 'feature_repo/bench.ts');
      writeFileSync(file, readFileSync(file, 'utf8').replace(/over\('(1h|\d+m)'\)/, `over('${62 + round}m')`));
      await withApp(project, async (app) => {
        const { revision } = await applyRepository(app, { allowBreaking: true });
        const startMs = performance.now();
        const all = await waitForServers(app, revision, 10_000);
        if (all.length !== servers.length + 1) throw new Error(`there are ${all.length} servers`);
        if (all.some((server) => server.revision !== revision)) throw new Error('a server did not take it up');
        tookMs.push(performance.now() - startMs);
      });
    }
    const worst = Math.max(...tookMs);
    return {
      name: `${store}, from apply to the last of three servers`,
      value: `${whole(median(tookMs))} ms, ${whole(worst)} at most of ${applies}`,
      mustBe: `≤ ${whole(MOST_APPLY_MS)} ms`,
      isReached: worst <= MOST_APPLY_MS,
    };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function measureBackfill({ keys }: MeasureVersions, store: string, project: PushProject): Promise<Figure> {
  return withApp(project, async (app) => {
    const connection = await (await app.duckdb()).connect();
    const file = join(project.directory, 'feature_repo/data/amounts-1.parquet');
    await connection.run(
      `COPY (SELECT 'user' || (i % ${keys}) AS "user", CAST(i % 97 AS DOUBLE) AS amount, ` +
        `now()::TIMESTAMP - INTERVAL 2 HOUR - to_seconds(CAST(i % 50000 AS INTEGER)) AS at FROM range(${keys * 5}) t(i)) TO '${file}' (FORMAT parquet)`,
    );
    connection.closeSync();
    const kept = (await app.versions()).filter(({ view }) => view === 'spent');
    const current = await app.applied();
    const isCurrent = (version: (typeof kept)[number]) => version.definitions === current;
    const [old, next] = [kept.find((one) => !isCurrent(one)), kept.find(isCurrent)];
    if (old === undefined || next === undefined) throw new Error('there are no two versions');
    const fill = async (version: string): Promise<number> => {
      const start = performance.now();
      const deps = { ...(await app.offline(silentProgress)), store: await app.online() };
      await materialize(deps, { views: [version], incremental: false, dryRun: false });
      return (performance.now() - start) / 1000;
    };
    // Once unmeasured: what is loaded and compiled by the way is neither's.
    await fill(old.version);
    const first = await fill(old.version);
    const second = await fill(next.version);
    await completeVersions(await app.completeness(), await app.waitingVersions());
    const ratio = second / first;
    return {
      name: `${store}, filling a version of ${whole(keys)} keys`,
      value: `${second.toFixed(2)} s`,
      floor: `the first run: ${first.toFixed(2)} s`,
      ratio: ratio.toFixed(3),
      mustBe: `≤ ${MOST_OF_FIRST_RUN} × the first`,
      isReached: ratio <= MOST_OF_FIRST_RUN,
    };
  });
}
