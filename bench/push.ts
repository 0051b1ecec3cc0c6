// Pushes over HTTP against a bare route that appends the same body to a file: one worker, 64 connections, short rounds
// taken in turn so that noise hits both, medians.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { median } from './median.ts';
import { pushLoadApart, type PushLoadResult } from './push-load.ts';
import { createPushProject, type PushedSource } from './push-project.ts';
import { type BenchServer, startHeadrace, startScript } from './servers.ts';

export interface PushFigure {
  readonly store: string;
  readonly name: string;
  readonly push: PushLoadResult;
  readonly append: PushLoadResult;
  /** Requests per second of push over those of append. */
  readonly ratio: number;
  /** None for what waits for a disk or a replica of the store. */
  readonly atLeast?: number;
}

export interface BatchFigure {
  readonly store: string;
  readonly name: string;
  readonly eventsPerSecond: number;
  readonly appendEventsPerSecond: number;
  readonly failures: number;
}

export interface PredictBesidePushes {
  readonly store: string;
  readonly eventsPerSecond: number;
  readonly aloneP99Ms: number;
  readonly besideP99Ms: number;
  readonly ratio: number;
  readonly failures: number;
}

export interface PushFigures {
  readonly single: readonly PushFigure[];
  readonly batches: readonly BatchFigure[];
  readonly predict: PredictBesidePushes;
}

export interface MeasurePush {
  /** Default: the scheme of the URL. */
  readonly store?: string;
  /** Keyed pushes wait for a disk or a replica: only those are measured, and no bound is set for them. */
  readonly isWaiting?: boolean;
  /** Default: LMDB in the project's folder. */
  readonly onlineUrl?: string;
  /** Of one round. */
  readonly seconds?: number;
  readonly rounds?: number;
  readonly only?: readonly ('single' | 'batches' | 'predict')[];
}

const CONNECTIONS = 64;
const USERS = 10_000;
const ROWS = 1000;
/** What comes in while predictions are timed: a rate that one worker keeps up with. */
const EVENTS_BESIDE = 20_000;

const SINGLE: readonly {
  readonly name: string;
  readonly source: PushedSource;
  readonly isKeyed: boolean;
  readonly atLeast: number;
}[] = [
  { name: 'latest row of ten floats', source: 'floats', isKeyed: false, atLeast: 0.45 },
  { name: 'three windows', source: 'amounts', isKeyed: false, atLeast: 0.3 },
  { name: 'latest, a new Idempotency-Key each', source: 'floats', isKeyed: true, atLeast: 0.2 },
  { name: 'windows, a new Idempotency-Key each', source: 'amounts', isKeyed: true, atLeast: 0.2 },
];

export async function measurePush(options: MeasurePush = {}): Promise<PushFigures> {
  const { onlineUrl = 'lmdb:.headrace/online', only = ['single', 'batches', 'predict'] } = options;
  const project = await createPushProject(onlineUrl);
  const servers: BenchServer[] = [];
  try {
    const server = await startHeadrace(project.directory);
    servers.push(server);
    const append = await startScript(
      'append-server.ts',
      [join(project.directory, 'appended'), '120'],
      project.directory,
    );
    servers.push(append);
    const context = {
      ...options,
      store: options.store ?? onlineUrl.split(':')[0] ?? '',
      server: server.url,
      append: `${append.url}/append`,
    };
    const single: PushFigure[] = [];
    const kinds = options.isWaiting === true ? SINGLE.filter(({ isKeyed }) => isKeyed) : SINGLE;
    if (only.includes('single')) for (const one of kinds) single.push(await measureSingle(context, one));
    const batches: BatchFigure[] = [];
    if (only.includes('batches')) {
      for (const source of ['floats', 'amounts'] as const) batches.push(await measureBatches(context, source));
    }
    const predict = only.includes('predict')
      ? await measurePredictBeside(context)
      : { store: context.store, eventsPerSecond: 0, aloneP99Ms: NaN, besideP99Ms: NaN, ratio: NaN, failures: 0 };
    return { single, batches, predict };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    project.remove();
  }
}

interface Context extends MeasurePush {
  readonly store: string;
  readonly server: string;
  readonly append: string;
}

const pushUrl = ({ server }: Context, source: PushedSource): string => `${server}/v1/sources/${source}/push`;

async function measureSingle(context: Context, one: (typeof SINGLE)[number]): Promise<PushFigure> {
  const { seconds = 2, rounds = 5, store, isWaiting } = context;
  const { name, source, isKeyed, atLeast } = one;
  const load = { source, isKeyed, rows: 1, users: USERS, connections: CONNECTIONS };
  const results = await inTurn(rounds, (isWarmUp, target) =>
    pushLoadApart({
      ...load,
      url: target === 'push' ? pushUrl(context, source) : context.append,
      seconds: isWarmUp ? 1 : seconds,
    }),
  );
  const [push, append] = [medians(results.push), medians(results.append)];
  const ratio = push.requestsPerSecond / append.requestsPerSecond;
  return { store, name, push, append, ratio, ...(isWaiting === true ? {} : { atLeast }) };
}

async function measureBatches(context: Context, source: PushedSource): Promise<BatchFigure> {
  const { seconds = 3, rounds = 3, store } = context;
  const load = { source, rows: ROWS, users: USERS * 10, connections: 4 };
  const results = await inTurn(rounds, (isWarmUp, target) =>
    pushLoadApart({
      ...load,
      url: target === 'push' ? pushUrl(context, source) : context.append,
      seconds: isWarmUp ? 1 : seconds,
    }),
  );
  const [push, append] = [medians(results.push), medians(results.append)];
  return {
    store,
    name: source === 'floats' ? 'latest row of ten floats' : 'three windows',
    eventsPerSecond: push.requestsPerSecond * ROWS,
    appendEventsPerSecond: append.requestsPerSecond * ROWS,
    failures: push.failures + append.failures,
  };
}

async function measurePredictBeside(context: Context): Promise<PredictBesidePushes> {
  const { seconds = 3, rounds = 3, store, server } = context;
  const batches = { source: 'floats', rows: ROWS, users: USERS * 10, connections: 4 } as const;
  const predict = (of: number) =>
    pushLoadApart({
      ...batches,
      url: `${server}/v1/endpoints/live/predict`,
      body: JSON.stringify({ inputs: [{ user: 'user7' }] }),
      connections: CONNECTIONS,
      seconds: of,
    });
  const push = (of: number) =>
    pushLoadApart({
      ...batches,
      url: pushUrl(context, 'floats'),
      seconds: of,
      requestsPerSecond: EVENTS_BESIDE / ROWS,
    });
  await Promise.all([predict(2), push(2)]);
  const [alone, beside, pushed]: [PushLoadResult[], PushLoadResult[], PushLoadResult[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    alone.push(await predict(seconds));
    // Pushes begin before the predictions and end after them.
    const pushing = push(seconds + 2);
    await delay(1000);
    beside.push(await predict(seconds));
    pushed.push(await pushing);
  }
  const [aloneP99Ms, besideP99Ms] = [medians(alone).p99Ms, medians(beside).p99Ms];
  return {
    store,
    eventsPerSecond: medians(pushed).requestsPerSecond * ROWS,
    aloneP99Ms,
    besideP99Ms,
    ratio: besideP99Ms / aloneP99Ms,
    failures: [...alone, ...beside, ...pushed].reduce((sum, { failures }) => sum + failures, 0),
  };
}

/** Rounds of both, one after the other; the first warms up and is dropped. */
async function inTurn(
  rounds: number,
  run: (isWarmUp: boolean, target: 'push' | 'append') => Promise<PushLoadResult>,
): Promise<{ push: PushLoadResult[]; append: PushLoadResult[] }> {
  const results: { push: PushLoadResult[]; append: PushLoadResult[] } = { push: [], append: [] };
  for (let round = -1; round < rounds; round++) {
    for (const target of ['append', 'push'] as const) {
      const result = await run(round < 0, target);
      if (result.failure !== undefined) throw new Error(`${target} answered ${result.failure}`);
      if (round >= 0) results[target].push(result);
    }
  }
  return results;
}

function medians(results: readonly PushLoadResult[]): PushLoadResult {
  const of = (pick: (result: PushLoadResult) => number): number => median(results.map(pick));
  return {
    requestsPerSecond: of((result) => result.requestsPerSecond),
    p50Ms: of((result) => result.p50Ms),
    p99Ms: of((result) => result.p99Ms),
    maxMs: of((result) => result.maxMs),
    failures: results.reduce((sum, { failures }) => sum + failures, 0),
  };
}

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] ?? '{}') as MeasurePush;
  console.log(JSON.stringify(await measurePush(options), null, 2));
}
