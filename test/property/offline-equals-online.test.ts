// Offline at T equals online at T, for every view and on demand: a training set over all rows, against a materialize at W ≤ T
// by the real engine with the rest pushed in random order through the real push path, perhaps materialized once more, read by
// the plan that serves, from requests that lack what they may.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ErrorDetail,
  type Field,
  floorTo,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  type Row,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import { type Manifest, resolveService } from '../../src/definitions/index.ts';
import { materialize } from '../../src/offline/index.ts';
import { openRecordDirectory } from '../../src/online/index.ts';
import { compileFeaturePlan } from '../../src/serving/feature-plan.ts';
import { EVERY_TYPE, newest, over, DATA } from '../support/every-type.ts';
import { openIngestionWorld } from '../support/ingestion-world.ts';
import {
  definitionsOf,
  fields,
  manifestOf,
  type OfflineWorld,
  openOfflineWorld,
  sourceOf,
  TYPES,
  viewOf,
  memberOf,
} from '../support/offline-world.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';
import { sameValue } from '../support/oracle.ts';
import { runs } from '../support/tier.ts';

const START = 1_780_000_000_000_000;
const EVERY = MICROS_PER_HOUR;
const LAG = 10 * MICROS_PER_MINUTE;

const double = (row: Row): Value => (row['f64'] === null ? null : (row['f64'] as number) * 2);

const LATEST = [...DATA.map((column) => newest(column)), newest('double', TYPES.float64)];
const WINDOWS = [
  over('count', null, 60, 5),
  over('count', 's', 600, 60),
  over('sum', 'i32', 60, 5),
  over('sum', 'i64', 600, 60),
  over('sum', 'double', 60, 15, TYPES.float64),
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

// What requests may lack: a key and columns of most types, each with a default or optional.
const ASKED: readonly Field[] = [
  { name: 'amount', type: TYPES.float64, default: 2.5 },
  { name: 'pieces', type: TYPES.int64, default: 9007199254740993n },
  { name: 'label', type: TYPES.string, default: 'no\u0000ne' },
  { name: 'since', type: TYPES.timestamp, default: '2026-01-02T03:04:05.006Z' },
  { name: 'names', type: { kind: 'list', of: TYPES.string }, default: ['x', 'y'] },
  { name: 'weight', type: TYPES.float64, isOptional: true },
  { name: 'note', type: TYPES.string, isOptional: true },
];
const DEMANDED = fields({
  product: TYPES.float64,
  pieces: TYPES.int64,
  label: TYPES.string,
  since: TYPES.timestamp,
  names: { kind: 'list', of: TYPES.string },
  hasWeight: TYPES.bool,
  note: TYPES.string,
  stored: TYPES.float64,
});

interface Asked {
  readonly request: Readonly<Record<string, number | null>>;
  readonly rows: { readonly last_f64: number | null };
}

const demand = ({ request, rows }: Asked): object => ({
  product: (request['amount'] as number) * (request['weight'] ?? 1),
  pieces: request['pieces'],
  label: request['label'],
  since: request['since'],
  names: request['names'],
  hasWeight: request['weight'] !== null,
  note: request['note'],
  stored: rows.last_f64 === null ? null : rows.last_f64 + (request['amount'] as number),
});

function manifestFor(path: string): Manifest {
  const derived = { kind: 'function', function: { id: 'source/events/derive/double', hash: 'test' } } as const;
  const scheduled = { kind: 'scheduled', everyMicros: EVERY, lagMicros: LAG } as const;
  const views = {
    both: viewOf('both', 'pair', 'events', ['a', 'b'], [...LATEST, ...WINDOWS], { ttlMicros: 8 * MICROS_PER_HOUR }),
    rows: viewOf('rows', 'single', 'events', ['b'], LATEST),
    windows: viewOf('windows', 'single', 'events', ['b'], WINDOWS),
    hourly: viewOf('hourly', 'single', 'events', ['b'], [...LATEST, ...WINDOWS], { freshness: scheduled }),
  };
  const b = { name: 'b', type: TYPES.string, isOptional: true } as const;
  return manifestOf({
    entities: {
      pair: { name: 'pair', keys: [{ name: 'a', type: TYPES.int64, default: 1 }, b] },
      single: { name: 'single', keys: [b] },
    },
    onDemandViews: {
      demand: {
        name: 'demand',
        inputs: [
          { kind: 'request', name: 'request', columns: ASKED },
          { kind: 'view', name: 'rows', view: 'rows', keyColumns: ['b'] },
        ],
        features: DEMANDED,
        transform: { id: 'onDemandView/demand/transform', hash: 'test' },
      },
    },
    sources: {
      events: sourceOf('events', path, EVERY_TYPE, {
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
        members: [
          ...Object.values(views).map((view) => memberOf(view)),
          { kind: 'onDemand', role: 'demand', view: 'demand', features: DEMANDED.map(({ name }) => name) },
        ],
      },
    },
  });
}

function asJson(row: Row): object {
  return Object.fromEntries(EVERY_TYPE.map(({ name, type }) => [name, toJson(type, row[name] ?? null)]));
}

const nullable = <T>(some: fc.Arbitrary<T>) => fc.option(some, { freq: 6 });
const happening = fc.record({
  a: nullable(fc.constantFrom(1n, 2n ** 53n + 1n)),
  b: nullable(fc.constantFrom('', '1', 'é', '\uFEFF1')),
  minute: fc.integer({ min: 0, max: 1500 }),
  late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 700 })),
  gone: fc.constantFrom(false, false, false, null, true),
  i32: nullable(fc.integer({ min: -3, max: 3 })),
  i64: nullable(fc.constantFrom(0n, 7n, 2n ** 55n + 1n, -(2n ** 55n) - 3n)),
  f32: nullable(fc.constantFrom(0.5, -1.25, 3)),
  f64: nullable(fc.constantFrom(0.1, -0.3, 1e9)),
  s: nullable(fc.constantFrom('x', 'y', '', '\uFEFFx', 'long enough to lie by itself')),
  flag: nullable(fc.boolean()),
  ts: nullable(fc.integer({ min: 0, max: 9 }).map((n) => START + n)),
  raw: nullable(fc.constantFrom(Uint8Array.of(), Uint8Array.of(0, 1), Uint8Array.of(255))),
});
const SPINE = [...fields({ a: TYPES.int64, b: TYPES.string, when: TYPES.timestamp }), ...ASKED];
const KEYS = [1n, 2n ** 53n + 1n, null].flatMap((a) =>
  ['', '1', 'é', '\uFEFF1', 'nobody', null].map((b) => ({ a, b })),
);
const asking = fc.record({
  amount: nullable(fc.constantFrom(1.5, -2)),
  pieces: nullable(fc.constantFrom(3n, 2n ** 60n)),
  label: nullable(fc.constantFrom('', 'é')),
  since: nullable(fc.constantFrom(0, START)),
  names: nullable(fc.constantFrom<readonly Value[]>([], ['a'])),
  weight: nullable(fc.constantFrom(2, 0.5)),
  note: nullable(fc.constantFrom('', 'n')),
});

/** As a request carries it: of what is null, some are left out. */
function asRequest(row: Row, columns: readonly Field[]): object {
  return Object.fromEntries(
    columns.flatMap(({ name, type }, at) => {
      const value = row[name] ?? null;
      return value === null && at % 2 === 0 ? [] : [[name, toJson(type, value)]];
    }),
  );
}

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
        fc.array(asking, { minLength: KEYS.length, maxLength: KEYS.length }),
        async (happenings, watermarkMinute, laterMinutes, afterRun, isRunAgain, random, asked) => {
          const project = `${kind}-${trial++}`;
          const directory = world.path(project);
          await mkdir(directory);
          const rows = happenings.map(({ minute, late, ...values }, index) => ({
            ...values,
            at: START + minute * MICROS_PER_MINUTE,
            known: START + (minute + late) * MICROS_PER_MINUTE,
            seq: index,
          }));
          const manifest = manifestFor(join(directory, 'events.parquet'));
          const functions = { 'source/events/derive/double': double, 'onDemandView/demand/transform': demand };
          const definitions = definitionsOf(manifest, directory, functions);
          const watermark = START + watermarkMinute * MICROS_PER_MINUTE;
          const at = watermark + laterMinutes * MICROS_PER_MINUTE;
          // Until the results of the next run are up, a scheduled view answers as at the last.
          const later = watermark + Math.floor(laterMinutes / 2) * MICROS_PER_MINUTE;
          const lastRun = isRunAgain ? later : watermark;
          const atScheduled = floorTo(lastRun, EVERY) + LAG + afterRun * MICROS_PER_MINUTE;
          // A registry of its own: what is logged for another trial is none of this one's facts.
          const open: OnlineStorePlace['open'] = (given) => place.open(given, project);
          const pushes = await openIngestionWorld({
            prepare: async () => ({ ...place, open, remove: async () => {} }),
          });
          const { clock, database, store } = pushes;

          await world.put(join(directory, 'events.parquet'), EVERY_TYPE, rows);
          const spine = [at, atScheduled].flatMap((when) => KEYS.map((key, i) => ({ ...key, ...asked[i], when })));
          await world.put(join(directory, 'spine.parquet'), SPINE, spine);
          const out = join(directory, 'out.parquet');
          const request = { service: 'all', spine: join(directory, 'spine.parquet'), out };
          await world.train({ ...world.deps, definitions, database, log: undefined }, request.spine, request);

          clock.now = watermark;
          const limits = { maxAheadMicros: 30 * MICROS_PER_DAY };
          const own = { definitions: () => definitions, lookEveryMs: 5, limits };
          const { ingestion, log, close } = await pushes.open(own);
          try {
            // The server answers.
            const deps = { ...world.deps, definitions, clock, store, log, database, askTimeoutMs: 5000 };
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
            const directoryOfRuns = await openRecordDirectory(pushes.runs, pushes.schemas);
            const service = resolveService(manifest, 'all');
            const plan = compileFeaturePlan(definitions, service, store, directoryOfRuns, 'rows');
            const mistakes: ErrorDetail[] = [];
            const requests = KEYS.map((key, i) =>
              plan.parseRow(asRequest({ ...key, ...asked[i] }, service.requestColumns), i, mistakes),
            );
            expect(mistakes).toEqual([]);
            const live = await plan.read(requests, at);
            const asRun = await plan.read(requests, atScheduled);

            const offline = await world.read(out, service.features);
            KEYS.forEach((key, i) => {
              for (const [f, { name, type, from }] of service.features.entries()) {
                const isScheduled = from.kind === 'read' && service.reads[from.read]?.view.freshness.kind !== 'live';
                const online = (isScheduled ? asRun : live)[i]?.values[f] ?? null;
                const trained = offline[isScheduled ? i + KEYS.length : i]?.[name] ?? null;
                if (sameValue(type, online, trained)) continue;
                const of = { ...key, ...asked[i], feature: name };
                expect({ ...of, online }).toEqual({ ...of, online: trained });
              }
            });
          } finally {
            await close();
            await pushes.close();
          }
        },
      ),
      { numRuns: runs(kind === 'lmdb' ? 10 : 5) },
    );
  }, 120_000);
});
