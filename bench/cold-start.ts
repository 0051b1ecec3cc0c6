// What a server costs that does little: how soon it is ready with twenty models, what it holds at rest, what a prediction
// allocates, and whether a million of them leave anything behind.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyRepository, openApp, readEnvironment, registerModelFile } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { driveApart } from '../load-tests/drive-apart.ts';
import { ownBytes, residentBytes } from '../load-tests/memory.ts';
import { createLoadProject } from '../load-tests/own-project.ts';
import { treesModel } from '../test/support/onnx-model.ts';
import { median } from './median.ts';
import { type Figure, type Section, whole } from './report.ts';
import { type BenchServer, startHeadrace, untilReady } from './servers.ts';

const MODELS = 20;
const FEATURES = 10;
const [MOST_START_SECONDS, MOST_REST_MEGABYTES, MOST_GROWTH] = [3, 200, 1.1];
const REST_MS = 5000;
const STEPS = 20;
const CONNECTIONS = 32;

export async function coldStartSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const start = await measureStart(isQuick ? 2 : 5);
  const project = await createLoadProject();
  try {
    const allocation = await measureAllocation(project.directory, isQuick ? 20_000 : 200_000);
    const growth = await measureGrowth(project.directory, isQuick ? 50_000 : 1_000_000, isQuick);
    return { title: 'Start and memory', about: ABOUT, figures: [...start, allocation, growth] };
  } finally {
    project.remove();
  }
}

const ABOUT = `One worker. Cold start: from starting the process to the first 200 of /health/ready, with ${MODELS} models of 200 trees, each of an endpoint of its own (median). At rest: all resident memory of that process ${REST_MS / 1000} s later, programs and libraries included. Allocation: bytes that V8 says were allocated on its heaps between collections (\`--trace-gc-nvp\`, all threads), over the predictions answered meanwhile: one row each with stored features, varied keys. Growth: the server’s own pages after each twentieth of the predictions; the most of the second half over the most of the first.`;

async function measureStart(rounds: number): Promise<Figure[]> {
  const directory = await createModelsProject();
  try {
    const [seconds, megabytes, own]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < rounds; round++) {
      const startMs = performance.now();
      const server = await startHeadrace(directory);
      try {
        await untilReady(server);
        seconds.push((performance.now() - startMs) / 1000);
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
        megabytes.push((residentBytes(server.pid) ?? NaN) / 1e6);
        own.push((ownBytes(server.pid) ?? NaN) / 1e6);
      } finally {
        await server.stop();
      }
    }
    const [startSeconds, restMegabytes] = [median(seconds), median(megabytes)];
    return [
      {
        name: `cold start with ${MODELS} models`,
        value: `${startSeconds.toFixed(2)} s (${seconds.map((one) => one.toFixed(2)).join(', ')})`,
        mustBe: `≤ ${MOST_START_SECONDS} s`,
        isReached: startSeconds <= MOST_START_SECONDS,
      },
      {
        name: 'at rest',
        value: `${whole(restMegabytes)} MB, of which ${whole(median(own))} MB its own pages`,
        mustBe: `≤ ${MOST_REST_MEGABYTES} MB`,
        isReached: restMegabytes <= MOST_REST_MEGABYTES,
      },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function createModelsProject(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  mkdirSync(join(directory, 'feature_repo'));
  writeFileSync(join(directory, 'headrace.config.ts'), `export default { project: 'start_${process.pid}' };\n`);
  writeFileSync(join(directory, 'feature_repo', 'start.ts'), modelsRepository());
  const app = await openApp({
    environment: { ...readEnvironment({}), workingDirectory: directory },
    logger: silentLogger,
  });
  try {
    await applyRepository(app, {});
    // A tree more in each, so that no two are one file.
    for (let at = 0; at < MODELS; at++)
      await registerModelFile(app, { model: `score${at}`, onnx: treesModel(FEATURES, 200 + at, 5) });
  } finally {
    await app.close();
  }
  return directory;
}

function modelsRepository(): string {
  const columns = Array.from({ length: FEATURES }, (_, at) => `c${at}`);
  const models = Array.from(
    { length: MODELS },
    (
      _,
      at,
    ) => `export const score${at} = model('score${at}', { features: service, outputs: { probability: t.float32() } });
export const live${at} = endpoint('live${at}', { model: score${at}, unit: ['user'] });
`,
  );
  return `import { endpoint, entity, featureService, featureView, latest, model, pushed, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
export const events = pushed('events', {
  columns: { user: t.string(), ${columns.map((column) => `${column}: t.float64()`).join(', ')}, at: t.timestamp() },
  eventTime: 'at',
});
export const newest = featureView('newest', {
  entity: user, source: events, features: { ${columns.map((column) => `${column}: latest('${column}')`).join(', ')} },
});
export const service = featureService('service', [newest]);
${models.join('')}`;
}

async function measureAllocation(directory: string, requests: number): Promise<Figure> {
  let bytes = 0;
  const server = await startHeadrace(directory, {
    node: ['--trace-gc', '--trace-gc-nvp'],
    heard: (line) => (bytes += Number(/ allocated=(\d+)/.exec(line)?.[1] ?? 0)),
  });
  try {
    await untilReady(server);
    await predictTimes(server, Math.round(requests / 10));
    const before = bytes;
    const { answered } = await predictTimes(server, requests);
    const each = (bytes - before) / answered;
    return { name: 'allocated by a prediction', value: `${whole(each)} bytes (${whole(answered)} predictions)` };
  } finally {
    await server.stop();
  }
}

async function measureGrowth(directory: string, requests: number, isQuick: boolean): Promise<Figure> {
  const server = await startHeadrace(directory);
  try {
    await untilReady(server);
    const megabytes: number[] = [];
    let failures = 0;
    for (let step = 0; step < STEPS; step++) {
      const { sent, answered } = await predictTimes(server, requests / STEPS);
      failures += sent - answered;
      megabytes.push(Math.round((ownBytes(server.pid) ?? NaN) / 1e6));
    }
    const half = STEPS / 2;
    const growth = Math.max(...megabytes.slice(half)) / Math.max(...megabytes.slice(0, half));
    // A short run only shows a heap on its way to its size.
    const bound = isQuick ? {} : { mustBe: `≤ ${MOST_GROWTH}`, isReached: growth <= MOST_GROWTH && failures === 0 };
    return {
      name: `memory over ${whole(requests)} predictions`,
      value: `${megabytes.join(', ')} MB${failures === 0 ? '' : `, ${failures} FAILED`}`,
      ratio: growth.toFixed(2),
      ...bound,
    };
  } finally {
    await server.stop();
  }
}

/** As fast as they are answered; bounded in time, too. */
async function predictTimes(
  server: BenchServer,
  requests: number,
): Promise<{ readonly sent: number; readonly answered: number }> {
  const { streams } = await driveApart({
    target: 'own',
    phases: [{ name: 'predict', seconds: LONGEST_STEP_SECONDS }],
    streams: [{ request: 'predict', base: server.url, loads: [{ connections: CONNECTIONS }], requests }],
  });
  const { sent = 0, answered = 0 } = streams[0]?.phases[0] ?? {};
  if (answered === 0) throw new Error(`no prediction was answered: ${streams[0]?.firstFault ?? ''}`);
  return { sent, answered };
}

const LONGEST_STEP_SECONDS = 300;
