// The benchmark page's sections about pushes: what is measured elsewhere, put beside its floor and its bound.

import { setTimeout as sleep } from 'node:timers/promises';
import { hasRedis, type RedisServerOptions, startRedis } from '../test/support/redis-server.ts';
import { findValkey } from '../test/support/valkey-program.ts';
import { measureHotKey } from './hot-key.ts';
import { type BatchFigure, measurePush, type PredictBesidePushes, type PushFigure } from './push.ts';
import type { PushLoadResult } from './push-load.ts';
import { measurePushMemory } from './push-memory.ts';
import { type Figure, type Section, whole } from './report.ts';
import { measureUncoveredCuts } from './uncovered-cuts.ts';

export interface PushSections {
  readonly isQuick: boolean;
  /** Calls with the URL of each store that there is; undefined is LMDB. */
  forEachStore(measure: (onlineUrl: string | undefined) => Promise<void>): Promise<void>;
}

const micros = (value: number): string => `${value.toFixed(1)} µs`;
const storeOf = (onlineUrl: string | undefined) => (onlineUrl === undefined ? {} : { onlineUrl });

type MeasureWaiting = (store: string, onlineUrl: string) => Promise<void>;

/** Calls with each kind of Redis whose claims wait; of those that this machine lacks nothing is measured. */
async function forEachWaitingStore(measure: MeasureWaiting): Promise<void> {
  if (!hasRedis()) return;
  const appending = (fsync: string) => ['--appendonly', 'yes', '--appendfsync', fsync];
  // Its answers wait for the disk, whether it knows WAITAOF or not.
  await measureOn({ settings: appending('always') }, 'redis, AOF always', measure);
  const program = findValkey('pushes that wait for WAITAOF');
  if (program !== undefined) {
    for (const fsync of ['always', 'everysec'])
      await measureOn({ program, settings: appending(fsync) }, `valkey, AOF ${fsync} and WAITAOF`, measure);
  }
  const master = await startRedis({ settings: ['--repl-diskless-sync-delay', '0'] });
  try {
    const replicaof = ['--replicaof', '127.0.0.1', String(master.port)];
    await measureOn({ settings: replicaof }, 'redis, one replica', async (store) => {
      while (!(await master.command('INFO replication')).includes('state=online')) await sleep(50);
      await measure(store, master.url);
    });
  } finally {
    await master.stop();
  }
}

async function measureOn(options: RedisServerOptions, store: string, measure: MeasureWaiting): Promise<void> {
  const server = await startRedis(options);
  try {
    await measure(store, server.url);
  } finally {
    await server.stop();
  }
}

export async function pushSection({ isQuick, forEachStore }: PushSections): Promise<Section> {
  const figures: Figure[] = [];
  await forEachStore(async (onlineUrl) => {
    const { single, batches, predict } = await measurePush({ ...storeOf(onlineUrl), rounds: isQuick ? 2 : 5 });
    figures.push(...single.map(singleFigure), ...batches.map(batchFigure), besideFigure(predict));
  });
  // Beside those that are compared from one time to the next: what a claim waits for, the store's disk or its replica, is paid here.
  await forEachWaitingStore(async (store, onlineUrl) => {
    const measured = await measurePush({
      store,
      onlineUrl,
      isWaiting: true,
      rounds: isQuick ? 1 : 3,
      only: ['single'],
    });
    figures.push(...measured.single.map(singleFigure));
  });
  return {
    title: 'Pushes over HTTP',
    about:
      'One worker. Single events: one a request over 64 connections, 10,000 keys, against a bare Fastify route that appends the body as it came to a file with group-committed fdatasync; rounds of both in turn. Batches: 1,000 rows a request over 4 connections, 100,000 keys. Predictions: 64 connections, alone and while batches of 20,000 events a second come in. A keyed push waits for disk or replica where the store has one; its ratio is shown apart, in the last rows.',
    figures,
  };
}

function singleFigure({ store, name, push, append, ratio, atLeast }: PushFigure): Figure {
  const rate = (load: PushLoadResult): string =>
    `${whole(load.requestsPerSecond)}/s, p50 ${load.p50Ms.toFixed(1)} ms, p99 ${load.p99Ms.toFixed(1)} ms`;
  return {
    name: `${store}, ${name}`,
    value: rate(push),
    floor: `append: ${rate(append)}`,
    ratio: ratio.toFixed(3),
    ...(atLeast === undefined ? {} : { mustBe: `≥ ${atLeast}`, isReached: ratio >= atLeast && push.failures === 0 }),
  };
}

const LEAST_EVENTS = 50_000;

function batchFigure({ store, name, eventsPerSecond, appendEventsPerSecond, failures }: BatchFigure): Figure {
  return {
    name: `${store}, batches of 1,000, ${name}`,
    value: `${whole(eventsPerSecond)} events/s`,
    floor: `append: ${whole(appendEventsPerSecond)} events/s`,
    ratio: (eventsPerSecond / appendEventsPerSecond).toFixed(3),
    mustBe: `≥ ${whole(LEAST_EVENTS)} events/s`,
    isReached: eventsPerSecond >= LEAST_EVENTS && failures === 0,
  };
}

function besideFigure({
  store,
  eventsPerSecond,
  aloneP99Ms,
  besideP99Ms,
  ratio,
  failures,
}: PredictBesidePushes): Figure {
  return {
    name: `${store}, predict while ${whole(eventsPerSecond)} events/s come in`,
    value: `p99 ${besideP99Ms.toFixed(1)} ms`,
    floor: `alone: p99 ${aloneP99Ms.toFixed(1)} ms`,
    ratio: ratio.toFixed(2),
    mustBe: '≤ 3',
    isReached: ratio <= 3 && failures === 0,
  };
}

export async function hotKeySection({ isQuick, forEachStore }: PushSections): Promise<Section> {
  const figures: Figure[] = [];
  await forEachStore(async (onlineUrl) => {
    const measured = await measureHotKey({ ...storeOf(onlineUrl), pushes: isQuick ? 20_000 : 100_000 });
    for (const { store, events, pushes, firstMicros, lastMicros, ratio } of measured) {
      figures.push({
        name: `${store}, events ${events}, ${whole(pushes)} pushes to one key`,
        value: `the last ${micros(lastMicros)}`,
        floor: `the first ${micros(firstMicros)}`,
        ratio: ratio.toFixed(2),
        ...(events === 'of now' ? { mustBe: '≤ 1.5', isReached: ratio <= 1.5 } : {}),
      });
    }
  });
  return {
    title: 'A hot key',
    about:
      'The main thread’s time for a push of one event into three windows, in process, 64 at once: of the first 4,500 to a key and of the last (medians of nine stretches). Events of now show what the history costs, nothing; spread over the longest window they show beside it what the part itself costs once it has all of its tiles.',
    figures,
  };
}

export async function uncoveredCutsSection({ forEachStore }: PushSections): Promise<Section> {
  const figures: Figure[] = [];
  await forEachStore(async (onlineUrl) => {
    for (const measured of await measureUncoveredCuts(storeOf(onlineUrl))) {
      const { store, view, cuts } = measured;
      figures.push(
        {
          name: `${store}, ${view}, a request for a key with ${cuts} uncovered cuts`,
          value: micros(measured.requestWithCutsMicros),
          floor: `with none: ${micros(measured.requestMicros)}`,
          ratio: measured.requestRatio.toFixed(2),
          mustBe: '≤ 5',
          isReached: measured.requestRatio <= 5,
        },
        {
          name: `${store}, ${view}, the read within it`,
          value: micros(measured.readWithCutsMicros),
          floor: `with none: ${micros(measured.readMicros)}`,
          ratio: measured.readRatio.toFixed(2),
        },
      );
    }
  });
  return {
    title: 'Reading past uncovered cuts',
    about:
      'POST /v1/features/read of one row in process, without a socket: a key with a base alone, and one with a base and a part in each of 100 cuts that no run covers.',
    figures,
  };
}

export async function pushMemorySection({ isQuick, forEachStore }: PushSections): Promise<Section> {
  const figures: Figure[] = [];
  await forEachStore(async (onlineUrl) => {
    const measured = await measurePushMemory({ ...storeOf(onlineUrl), rows: isQuick ? 2_000_000 : 10_000_000 });
    const { store, rows, keys, eventsPerSecond, megabytes, growth, cuts, failures } = measured;
    const bound = isQuick ? {} : { mustBe: '≤ 1.25', isReached: growth <= 1.25 && failures === 0 };
    figures.push({
      name: `${store}, ${whole(rows)} rows of ${whole(keys)} keys`,
      value: `${megabytes.join(', ')} MB (${cuts} cuts, ${whole(eventsPerSecond)} events/s)`,
      ratio: growth.toFixed(2),
      ...bound,
    });
  });
  return {
    title: 'Memory under pushes',
    about:
      'The server’s own pages after each twentieth of the rows, latest row of ten floats, batches of 1,000; the ratio is the most of the second half over the most of the first.',
    figures,
  };
}
