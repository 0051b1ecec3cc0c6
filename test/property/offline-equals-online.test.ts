// Offline at T equals online at T, for every view: a training set over all rows, against a materialize at W ≤ T by the
// real engine with the rest pushed in random order through the real push path, perhaps materialized once more, read by
// the reader that serves.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type DataType,
  type EncodedKey,
  encodeKey,
  type Field,
  floorTo,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  type Row,
  silentLogger,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import { type Aggregation, type FeatureSpec, type Manifest, resolveService } from '../../src/definitions/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { openIngestion } from '../../src/ingestion/index.ts';
import { createRowDeriver, createTrainingSet, materialize } from '../../src/offline/index.ts';
import { createFeatureReader, openRecordDirectory, openRowSchemas, openRuns } from '../../src/online/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { LIMITS, type SettableClock } from '../support/ingestion-world.ts';
import {
  definitionsOf,
  fields,
  manifestOf,
  type OfflineWorld,
  openOfflineWorld,
  readParquet,
  sourceOf,
  TYPES,
  viewOf,
  writeParquet,
} from '../support/offline-world.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';
import { sameValue } from '../support/oracle.ts';

const START = 1_780_000_000_000_000;
const EVERY = MICROS_PER_HOUR;
const LAG = 10 * MICROS_PER_MINUTE;

const COLUMNS = fields({
  a: TYPES.int64,
  b: TYPES.string,
  at: TYPES.timestamp,
  known: TYPES.timestamp,
  seq: TYPES.int64,
  gone: TYPES.bool,
  i32: TYPES.int32,
  i64: TYPES.int64,
  f32: TYPES.float32,
  f64: TYPES.float64,
  s: TYPES.string,
  flag: TYPES.bool,
  ts: TYPES.timestamp,
  raw: TYPES.bytes,
});
const double = (row: Row): Value => (row['f64'] === null ? null : (row['f64'] as number) * 2);
const typeOf = (name: string): DataType =>
  name === 'double' ? TYPES.float64 : (COLUMNS.find((column) => column.name === name) as Field).type;

type WindowOp = Exclude<Aggregation['op'], 'latest'>;
const latest = (column: string): FeatureSpec => ({
  name: `last_${column}`,
  type: typeOf(column),
  aggregation: { op: 'latest', column },
});
function over(op: WindowOp, column: string | null, minutes: number, hopMinutes: number): FeatureSpec {
  const window = { windowMicros: minutes * MICROS_PER_MINUTE, hopMicros: hopMinutes * MICROS_PER_MINUTE };
  const aggregation: Aggregation = { op, column, ...window, ...(op === 'lastN' ? { n: 3 } : {}) };
  return { name: `${op}_${column ?? 'rows'}_${minutes}_${hopMinutes}`, type: resultOf(op, column), aggregation };
}
function resultOf(op: WindowOp, column: string | null): DataType {
  if (op === 'count' || op === 'countDistinct' || column === null) return TYPES.int64;
  const type = typeOf(column);
  if (op === 'sum') return type.kind === 'int32' || type.kind === 'int64' ? TYPES.int64 : TYPES.float64;
  if (op === 'mean' || op === 'variance' || op === 'stddev') return TYPES.float64;
  return op === 'lastN' ? { kind: 'list', of: type } : type;
}

const LATEST = ['i32', 'i64', 'f32', 'f64', 's', 'flag', 'ts', 'raw', 'double'].map(latest);
const WINDOWS = [
  over('count', null, 60, 5),
  over('count', 's', 600, 60),
  over('sum', 'i32', 60, 5),
  over('sum', 'i64', 600, 60),
  over('sum', 'double', 60, 15),
  over('mean', 'i64', 600, 60),
  over('mean', 'f32', 60, 5),
  over('variance', 'f64', 600, 60),
  over('stddev', 'i32', 600, 60),
  ...['i64', 'f32', 's', 'raw', 'ts'].flatMap((column) => [over('min', column, 600, 60), over('max', column, 60, 5)]),
  ...['i64', 's'].flatMap((column) => [over('first', column, 600, 60), over('last', column, 60, 5)]),
  over('lastN', 's', 600, 60),
  over('countDistinct', 's', 600, 60),
  over('countDistinct', 'i64', 60, 5),
];

function manifestFor(path: string): Manifest {
  const derived = { kind: 'function', function: { id: 'source/events/derive/double', hash: 'test' } } as const;
  const scheduled = { kind: 'scheduled', everyMicros: EVERY, lagMicros: LAG } as const;
  const views = {
    both: viewOf('both', 'pair', 'events', ['a', 'b'], [...LATEST, ...WINDOWS], { ttlMicros: 8 * MICROS_PER_HOUR }),
    rows: viewOf('rows', 'single', 'events', ['b'], LATEST),
    windows: viewOf('windows', 'single', 'events', ['b'], WINDOWS),
    hourly: viewOf('hourly', 'single', 'events', ['b'], [...LATEST, ...WINDOWS], { freshness: scheduled }),
  };
  return manifestOf({
    entities: {
      pair: { name: 'pair', keys: fields({ a: TYPES.int64, b: TYPES.string }) },
      single: { name: 'single', keys: fields({ b: TYPES.string }) },
    },
    sources: {
      events: sourceOf('events', path, COLUMNS, {
        knownTime: { kind: 'column', column: 'known' },
        createdOrder: 'seq',
        tombstone: 'gone',
        derive: [{ name: 'double', type: TYPES.float64, by: derived }],
      }),
    },
    views,
    services: {
      all: {
        name: 'all',
        members: Object.values(views).map(({ name, keyColumns, features }) => ({
          kind: 'view',
          role: name,
          view: name,
          keyColumns,
          features: features.map((feature) => feature.name),
        })),
      },
    },
  });
}

function asJson(row: Row): object {
  return Object.fromEntries(COLUMNS.map(({ name, type }) => [name, toJson(type, row[name] ?? null)]));
}

const nullable = <T>(some: fc.Arbitrary<T>) => fc.option(some, { freq: 6 });
const happening = fc.record({
  a: nullable(fc.constantFrom(1n, 2n ** 53n + 1n)),
  b: nullable(fc.constantFrom('', '1', 'é')),
  minute: fc.integer({ min: 0, max: 1500 }),
  late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 700 })),
  gone: fc.constantFrom(false, false, false, null, true),
  i32: nullable(fc.integer({ min: -3, max: 3 })),
  i64: nullable(fc.constantFrom(0n, 7n, 2n ** 55n + 1n, -(2n ** 55n) - 3n)),
  f32: nullable(fc.constantFrom(0.5, -1.25, 3)),
  f64: nullable(fc.constantFrom(0.1, -0.3, 1e9)),
  s: nullable(fc.constantFrom('x', 'y', '', 'long enough to lie by itself')),
  flag: nullable(fc.boolean()),
  ts: nullable(fc.integer({ min: 0, max: 9 }).map((n) => START + n)),
  raw: nullable(fc.constantFrom(Uint8Array.of(), Uint8Array.of(0, 1), Uint8Array.of(255))),
});
const SPINE = fields({ a: TYPES.int64, b: TYPES.string, when: TYPES.timestamp });
const KEYS = [1n, 2n ** 53n + 1n, null].flatMap((a) => ['', '1', 'é', 'nobody', null].map((b) => ({ a, b })));

describe.each(onlineStoreKinds())('with $name', ({ name: kind, prepare }) => {
  let world: OfflineWorld;
  let place: OnlineStorePlace;
  beforeAll(async () => {
    world = await openOfflineWorld();
    place = await prepare();
  });
  afterAll(async () => {
    await place.remove();
    await world.close();
  });

  it('offline equals online, for every view and aggregation', async () => {
    let trial = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(happening, { maxLength: 60 }),
        fc.integer({ min: 0, max: 1800 }),
        fc.integer({ min: 0, max: 900 }),
        fc.integer({ min: 0, max: 59 }),
        fc.boolean(),
        fc.infiniteStream(fc.nat()),
        async (happenings, watermarkMinute, laterMinutes, afterRun, isRunAgain, random) => {
          const project = `${kind}-${trial++}`;
          const directory = join(world.directory, project);
          await mkdir(directory);
          const rows = happenings.map(({ minute, late, ...values }, index) => ({
            ...values,
            at: START + minute * MICROS_PER_MINUTE,
            known: START + (minute + late) * MICROS_PER_MINUTE,
            seq: BigInt(index),
          }));
          const manifest = manifestFor(join(directory, 'events.parquet'));
          const functions = { 'source/events/derive/double': double };
          const definitions = definitionsOf(manifest, directory, functions);
          const watermark = START + watermarkMinute * MICROS_PER_MINUTE;
          const at = watermark + laterMinutes * MICROS_PER_MINUTE;
          // Until the results of the next run are up, a scheduled view answers as at the last.
          const later = watermark + Math.floor(laterMinutes / 2) * MICROS_PER_MINUTE;
          const lastRun = isRunAgain ? later : watermark;
          const atScheduled = floorTo(lastRun, EVERY) + LAG + afterRun * MICROS_PER_MINUTE;
          // A registry of its own: what is logged for another trial is none of this one's facts.
          const database = await openDatabase(`sqlite:${join(directory, 'registry.db')}`);

          await writeParquet(world.connection, join(directory, 'events.parquet'), COLUMNS, rows);
          const spine = [at, atScheduled].flatMap((when) => KEYS.map((key) => ({ ...key, when })));
          await writeParquet(world.connection, join(directory, 'spine.parquet'), SPINE, spine);
          const out = join(directory, 'out.parquet');
          await createTrainingSet(
            { ...world.deps, definitions, database, log: undefined },
            {
              service: 'all',
              spine: join(directory, 'spine.parquet'),
              timestamp: 'when',
              labels: [],
              boundary: 'at',
              out,
            },
          );

          const clock: SettableClock = { now: watermark, nowMicros: () => clock.now };
          const store = await place.open(clock, project);
          const log = await openEventLog({
            path: join(directory, 'log'),
            database,
            objects: openObjectStore(`file:${join(directory, 'objects')}`),
            clock,
            logger: silentLogger,
          });
          const runs = await openRuns(database);
          const schemas = await openRowSchemas(database);
          const deriver: Parameters<typeof openIngestion>[0]['deriver'] = (given, source) =>
            createRowDeriver(given, source, () => Promise.resolve(world.deps.duckdb));
          const limits = { ...LIMITS, maxAheadMicros: 30 * MICROS_PER_DAY };
          const ingestion = openIngestion(
            { log, store, runs, schemas, deriver, clock, logger: silentLogger, limits },
            { definitions: () => definitions, lookEveryMs: 5 },
          );
          try {
            const deps = { ...world.deps, definitions, clock, store, log, database };
            const again = (): boolean => (random.next().value as number) % 2 === 0;
            await materialize(deps, { incremental: again(), dryRun: false });
            const order = [...random.take(rows.length)];
            const pushed = rows
              .map((row, index) => ({ row, sort: order[index] as number }))
              // What the run has counted may be pushed as well, and must change nothing.
              .filter(({ row, sort }) => row.at > watermark || sort % 2 === 0)
              .sort((one, other) => one.sort - other.sort)
              .map(({ row }) => asJson(row));
            for (let from = 0; from < pushed.length; from += 7)
              await ingestion.push('events', pushed.slice(from, from + 7));
            if (isRunAgain) {
              clock.now = later;
              await materialize(deps, { incremental: again(), dryRun: false });
            }
            const directoryOfRuns = await openRecordDirectory(runs, schemas);
            const reader = createFeatureReader(manifest, resolveService(manifest, 'all'), store, directoryOfRuns);
            const keys = KEYS.map(({ a, b }) => {
              const pair = encodeKey([TYPES.int64, TYPES.string], [a, b]);
              const single = encodeKey([TYPES.string], [b]);
              return [pair, single, single, single] satisfies (EncodedKey | undefined)[];
            });
            const live = await reader.read(keys, at);
            const asRun = await reader.read(keys, atScheduled);

            const views = Object.values(manifest.views);
            const types = views.flatMap(({ name, features }) =>
              features.map((feature) => ({ name: `${name}__${feature.name}`, type: feature.type })),
            );
            const offline = await readParquet(world.connection, out, types);
            KEYS.forEach((key, i) => {
              for (const [v, { name, features, freshness }] of views.entries()) {
                const read = freshness.kind === 'live' ? live : asRun;
                const row = offline[freshness.kind === 'live' ? i : i + KEYS.length];
                features.forEach((feature, f) => {
                  const online = read[i]?.[v]?.values[f] ?? null;
                  const trained = row?.[`${name}__${feature.name}`] ?? null;
                  if (sameValue(feature.type, online, trained)) return;
                  const of = { ...key, feature: `${name}__${feature.name}` };
                  expect({ ...of, online }).toEqual({ ...of, online: trained });
                });
              }
            });
          } finally {
            await ingestion.close();
            await log.close();
            await store.close();
            await database.close();
          }
        },
      ),
      { numRuns: kind === 'lmdb' ? 10 : 5 },
    );
  }, 120_000);
});
