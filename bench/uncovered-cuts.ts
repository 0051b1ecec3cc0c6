// Reading a key whose record has a base alone, and one with a hundred cuts beside it that no run covers yet: the whole
// request in process (routing, JSON, checks), and the read within it.

import { scopeOf } from '../test/support/model-works.ts';
import { join } from 'node:path';
import { openApp, readEnvironment } from '../src/app/index.ts';
import { serveInProcess } from '../src/app/serve-worker.ts';
import { silentLogger, silentProgress } from '../src/core/index.ts';
import { openIngestion } from '../src/ingestion/index.ts';
import { materialize } from '../src/offline/index.ts';
import { median } from './median.ts';
import { createPushProject, FLOATS, type PushedSource } from './push-project.ts';

export interface UncoveredCutsFigures {
  readonly store: string;
  readonly view: 'latest' | 'windows';
  readonly cuts: number;
  /** Microseconds of a POST /v1/features/read without its socket: with no uncovered cut, and with all of them. */
  readonly requestMicros: number;
  readonly requestWithCutsMicros: number;
  readonly requestRatio: number;
  /** Of the read alone. */
  readonly readMicros: number;
  readonly readWithCutsMicros: number;
  readonly readRatio: number;
}

const VIEWS = [
  { view: 'latest', source: 'floats', service: 'newest_only' },
  { view: 'windows', source: 'amounts', service: 'spent_only' },
] as const;

export interface MeasureUncoveredCuts {
  readonly onlineUrl?: string;
  readonly cuts?: number;
}

export async function measureUncoveredCuts(options: MeasureUncoveredCuts = {}): Promise<UncoveredCutsFigures[]> {
  const { onlineUrl = 'lmdb:.headrace/online', cuts = 100 } = options;
  const project = await createPushProject(onlineUrl);
  const environment = { ...readEnvironment({ HEADRACE_OFFLINE_MEMORY: '1GB' }), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    const connection = await (await app.duckdb()).connect();
    for (const source of ['floats', 'amounts'] as const) await connection.run(fileOf(source, project.directory));
    connection.closeSync();
    const offline = await app.offline(silentProgress);
    await materialize({ ...offline, store: await app.online() }, { incremental: false, dryRun: false });
    const definitions = await app.applied();
    const deps = await app.ingestion();
    // A part a cut: each push is past what the writer may hold.
    const ingestion = openIngestion(
      { ...deps, limits: { ...deps.limits, memoryBytes: 1 } },
      { definitions: () => definitions },
    );
    for (const { source } of VIEWS) {
      for (let cut = 0; cut < cuts; cut++) {
        const before = ingestion.status().writer?.cut ?? 0;
        const at = new Date(Date.now() - 60_000 + cut).toISOString();
        const values = Object.fromEntries(FLOATS.map((column) => [column, cut]));
        await ingestion.push(source, [
          source === 'floats' ? { user: 'many', ...values, at } : { user: 'many', amount: cut, at },
        ]);
        while ((ingestion.status().writer?.cut ?? 0) <= before) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false });
    const figures: UncoveredCutsFigures[] = [];
    for (const { view, service } of VIEWS) {
      const request = async (user: string): Promise<unknown> => {
        const answer = await serving.server.inject({
          method: 'POST',
          url: '/v1/features/read',
          headers: { 'content-type': 'application/json' },
          payload: JSON.stringify({ service, rows: [{ user }] }),
        });
        if (answer.statusCode !== 200) throw new Error(answer.body);
        return answer;
      };
      if (view === 'windows') {
        const answer = (await serving.planes.data.readFeatures(service, [{ user: 'many' }], scopeOf())).toJson(
          'columns',
        );
        const { features } = JSON.parse(answer.toString()) as { features: Record<string, number[]> };
        const counted = features['spent__events_1h']?.[0];
        if (counted !== cuts) throw new Error(`of ${cuts} events in as many cuts ${counted} were read`);
      }
      const read = async (user: string) =>
        (await serving.planes.data.readFeatures(service, [{ user }], scopeOf())).toJson('rows');
      const [requestMicros, requestWithCutsMicros] = await inTurn(request);
      const [readMicros, readWithCutsMicros] = await inTurn(read);
      figures.push({
        store: onlineUrl.split(':')[0] ?? '',
        view,
        cuts,
        requestMicros,
        requestWithCutsMicros,
        requestRatio: requestWithCutsMicros / requestMicros,
        readMicros,
        readWithCutsMicros,
        readRatio: readWithCutsMicros / readMicros,
      });
    }
    await serving.stop();
    await ingestion.close();
    return figures;
  } finally {
    await app.close();
    project.remove();
  }
}

// Events two to forty hours old, of two users.
function fileOf(source: PushedSource, directory: string): string {
  const columns =
    source === 'floats'
      ? FLOATS.map((column) => `CAST(i AS DOUBLE) AS ${column}`).join(', ')
      : 'CAST(i AS DOUBLE) AS amount';
  const file = join(directory, 'feature_repo', 'data', `${source}-1.parquet`);
  return (
    `COPY (SELECT unnest(['none', 'many']) AS "user", ${columns}, make_timestamp(CAST(${Date.now()} AS BIGINT) * 1000 - ` +
    `CAST(i + 2 AS BIGINT) * 3600000000) AS at FROM range(38) t(i)) TO '${file}' (FORMAT parquet)`
  );
}

/** Medians of the microseconds that a call takes for the key without cuts and the one with them, in rounds in turn. */
async function inTurn(work: (user: string) => Promise<unknown>): Promise<[number, number]> {
  const times: Record<'none' | 'many', number[]> = { none: [], many: [] };
  for (let round = -2; round < 15; round++) {
    for (const user of ['none', 'many'] as const) {
      const start = performance.now();
      for (let call = 0; call < 200; call++) await work(user);
      if (round >= 0) times[user].push(((performance.now() - start) * 1000) / 200);
    }
  }
  return [median(times.none), median(times.many)];
}

if (import.meta.main) {
  console.log(JSON.stringify(await measureUncoveredCuts(JSON.parse(process.argv[2] ?? '{}')), null, 2));
}
