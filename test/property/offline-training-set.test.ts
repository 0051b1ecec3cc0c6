// Training sets against the naive oracle, on small random histories made to collide: few keys, few instants, few values;
// some of it in files, some pushed to several writers' logs.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Field, Row, Value } from '../../src/core/index.ts';
import type { FeatureSpec, Manifest, SourceSpec, UserFunction } from '../../src/definitions/index.ts';
import { mayLack, resolveService } from '../../src/definitions/index.ts';
import { auditTrainingSet, ERROR_COLUMN, writeFeatureFile } from '../../src/offline/index.ts';
import { eventLogWorld } from '../support/event-logs.ts';
import { EVERY_TYPE, newest, over, DATA } from '../support/every-type.ts';
import {
  definitionsOf,
  fields,
  manifestOf,
  memberOf,
  onDemandOf,
  sourceOf,
  TYPES,
  viewOf,
  worldOfAll,
} from '../support/offline-world.ts';
import { type Boundary, expectRows, oracleTrainingSet, type World } from '../support/oracle.ts';
import { countedRows, type PushedBatch, writePushes } from '../support/pushed-rows.ts';
import { runs } from '../support/tier.ts';

const MINUTE = 60_000_000;
const BASE = 1_000_000_000_000_000;

const world = worldOfAll();

const nullable = <T extends Value>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 6 });

// Instants a microsecond apart around multiples of a minute: bounds of hops, windows and TTLs are hit exactly.
const instant = fc
  .tuple(fc.integer({ min: -12, max: 12 }), fc.constantFrom(-1, 0, 0, 0, 1))
  .map(([minutes, micros]) => BASE + minutes * 5 * MINUTE + micros);
// One key is had by half of all, so that rows and spine rows meet.
const keyA = fc.constantFrom<bigint>(1n, 1n, 1n, 11n, 2n ** 53n, 2n ** 53n + 1n);
const keyB = fc.constantFrom('1', '1', '1', '11', '12', '');

const row = fc.record({
  a: nullable(keyA),
  b: nullable(keyB),
  at: nullable(instant),
  known: nullable(instant),
  seq: nullable(fc.integer({ min: 0, max: 2 })),
  gone: nullable(fc.constantFrom(false, false, false, true)),
  i32: nullable(fc.integer({ min: -3, max: 3 })),
  i64: nullable(fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 0n, 7n)),
  f32: nullable(fc.constantFrom(0.5, -1.25, 3)),
  f64: nullable(fc.constantFrom(0.1, 0.2, -0.3, 1e9)),
  s: nullable(fc.constantFrom('x', 'y', 'é', '')),
  flag: nullable(fc.boolean()),
  ts: nullable(instant),
  raw: nullable(fc.constantFrom(Uint8Array.of(0), Uint8Array.of(0, 1), Uint8Array.of(255))),
});

const spineRow = fc.record({
  id: fc.integer({ min: 0, max: 5 }),
  when: nullable(instant),
  left: nullable(keyA),
  right: nullable(keyB),
  other: nullable(keyB),
  bonus: nullable(fc.constantFrom(1, 2)),
});
const SPINE = fields({
  id: TYPES.int32,
  when: TYPES.timestamp,
  left: TYPES.int64,
  right: TYPES.string,
  other: TYPES.string,
  bonus: TYPES.int32,
});

const WINDOWS: FeatureSpec[] = [
  over('count', null, 10, 5),
  over('count', null, 100, 10),
  over('count', 'f64', 60, 15),
  over('sum', 'i32', 10, 5),
  over('sum', 'i64', 20, 5),
  over('sum', 'f64', 10, 5),
  over('mean', 'i64', 30, 5),
  over('mean', 'f32', 30, 15),
  over('variance', 'f64', 60, 5),
  over('stddev', 'i32', 60, 15),
  over('max', 'flag', 60, 5),
  ...['i32', 'i64', 'f32', 's', 'raw', 'ts'].flatMap((column) => [
    over('min', column, 20, 5),
    over('max', column, 20, 5),
  ]),
  ...['i64', 's', 'f64'].flatMap((column) => [over('first', column, 30, 5), over('last', column, 30, 5)]),
  over('lastN', 'i64', 60, 5),
  over('lastN', 's', 30, 15),
  over('countDistinct', 's', 60, 5),
  over('countDistinct', 'i64', 30, 5),
];

const setting = fc.record({
  ttlMinutes: fc.constantFrom(null, 0, 5, 20),
  knownTime: fc.constantFrom<SourceSpec['knownTime']>(
    { kind: 'column', column: 'known' },
    { kind: 'after', micros: 0 },
    { kind: 'after', micros: 5 * MINUTE },
  ),
  hasCreated: fc.boolean(),
  hasTombstone: fc.boolean(),
  schedule: fc.constantFrom(
    null,
    null,
    { everyMicros: 15 * MINUTE, lagMicros: 5 * MINUTE },
    { everyMicros: 7 * MINUTE, lagMicros: 0 },
  ),
  boundary: fc.constantFrom<Boundary>('at', 'before'),
  pushes: fc.constantFrom<SourceSpec['pushes']>('keep', 'until-materialized'),
  completeAfterMinutes: fc.constantFrom(0, 60, 75),
  // One that reads a single view is put together in another way.
  service: fc.constantFrom('all', 'all', 'alone'),
  // Of keys and request columns: what null stands for.
  hasDefaults: fc.boolean(),
});
type Setting = typeof setting extends fc.Arbitrary<infer S> ? S : never;

/** A push: who took it in, when, and whether it turned out void. Its rows tie, so that their places decide. */
const push = fc.record({
  rows: fc.tuple(row, fc.array(row, { maxLength: 2 })).map(([first, others]) => {
    const { a, b, at, seq } = first;
    return [first, ...others.map((other) => ({ ...other, a, b, at, seq }))];
  }),
  writer: fc.constantFrom(0, 1),
  knownMicros: instant,
  isVoid: fc.constantFrom(false, false, false, true),
  endsCut: fc.boolean(),
});

const FUNCTIONS: Record<string, UserFunction> = {
  'source/events/derive/doubled': (given: { f64: number | null }) => (given.f64 === null ? null : given.f64 * 2),
  'source/events/derive/minute': (given: { at: Date | null }) => given.at?.getUTCMinutes() ?? null,
  'onDemand/ratio': (given: {
    request: { bonus: number | null; when: Date | null };
    one: Record<string, unknown>;
  }) => ({
    hour: given.request.when?.getUTCHours() ?? null,
    plus:
      given.request.bonus === null || given.one['last_i64'] === null
        ? null
        : (given.one['last_i64'] as bigint) + BigInt(given.request.bonus),
    label: given.one['last_s'] === null ? null : `${given.one['last_s'] as string}!`,
    seen: given.one['last_ts'],
  }),
  'onDemand/twice': (given: { ratio: { plus: bigint | null } }) => ({
    plus: given.ratio.plus === null ? null : given.ratio.plus * 2n,
  }),
};

function manifestFor(given: Setting, path: string): Manifest {
  const { ttlMinutes, knownTime, hasCreated, hasTombstone, schedule, pushes, completeAfterMinutes } = given;
  const derived = (name: string, type: Field['type']) =>
    ({ name, type, by: { kind: 'function', function: { id: `source/events/derive/${name}`, hash: 'test' } } }) as const;
  const events = sourceOf('events', path, EVERY_TYPE, {
    knownTime,
    pushes,
    ...(completeAfterMinutes > 0 ? { completeAfterMicros: completeAfterMinutes * MINUTE } : {}),
    derive: [derived('doubled', TYPES.float64), derived('minute', TYPES.int32)],
    ...(hasCreated ? { createdOrder: 'seq' } : {}),
    ...(hasTombstone ? { tombstone: 'gone' } : {}),
  });
  const freshness = schedule === null ? ({ kind: 'live' } as const) : ({ kind: 'scheduled', ...schedule } as const);
  const ttlMicros = ttlMinutes === null ? null : ttlMinutes * MINUTE;
  const doubled = newest('doubled', TYPES.float64);
  const one = viewOf(
    'one',
    'pair',
    'events',
    ['a', 'b'],
    [...DATA.map((column) => newest(column)), doubled, ...WINDOWS],
    {
      ttlMicros,
      freshness,
    },
  );
  const perMinute = { ...over('sum', 'minute', 60, 5, TYPES.int32), name: 'sum_minute' };
  const two = viewOf('two', 'single', 'events', ['b'], [newest('i32'), over('count', null, 20, 5), perMinute]);
  const withDefault = (field: Field, value: unknown): Field =>
    given.hasDefaults ? { ...field, default: value } : { ...field, isOptional: true };
  const [bonus, b] = [
    withDefault({ name: 'bonus', type: TYPES.int32 }, 2),
    withDefault({ name: 'b', type: TYPES.string }, '1'),
  ];
  const ratio = onDemandOf(
    'ratio',
    fields({ hour: TYPES.int32, plus: TYPES.int64, label: TYPES.string, seen: TYPES.timestamp }),
    [
      { kind: 'request', name: 'request', columns: [bonus, ...fields({ when: TYPES.timestamp })] },
      { kind: 'view', name: 'one', view: 'one', keyColumns: ['left', 'right'] },
    ],
  );
  const twice = onDemandOf('twice', fields({ plus: TYPES.int64 }), [
    { kind: 'onDemand', name: 'ratio', view: 'ratio' },
  ]);
  return manifestOf({
    entities: {
      pair: { name: 'pair', keys: [...fields({ a: TYPES.int64 }), b] },
      single: { name: 'single', keys: [b] },
    },
    sources: { events },
    views: { one, two },
    onDemandViews: { ratio, twice },
    services: {
      alone: { name: 'alone', members: [memberOf(one, { keyColumns: ['left', 'right'] })] },
      all: {
        name: 'all',
        members: [
          memberOf(one, { keyColumns: ['left', 'right'] }),
          memberOf(two, { role: 'from', keyColumns: ['right'] }),
          memberOf(two, { role: 'to', keyColumns: ['other'], features: ['last_i32'] }),
          { kind: 'onDemand', role: 'twice', view: 'twice', features: ['plus'] },
          { kind: 'onDemand', role: 'ratio', view: 'ratio', features: ratio.features.map(({ name }) => name) },
        ],
      },
    },
  });
}

// The oracle reads timestamps from a user's function at the millisecond, as a Date keeps them: so do both sides.
function outputFields(manifest: Manifest, service: Setting['service']): Field[] {
  const { views, onDemandViews, services } = manifest;
  return (services[service]?.members ?? []).flatMap(({ kind, role, view, features }) => {
    const all: readonly Field[] = (kind === 'view' ? views[view] : onDemandViews[view])?.features ?? [];
    return features.map((name) => ({
      name: `${role}__${name}`,
      type: (all.find((field) => field.name === name) as Field).type,
    }));
  });
}

describe('a training set', () => {
  it('holds what the oracle computes, for every aggregation, type and edge, and so does a batch', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 60 }),
        fc.array(spineRow, { minLength: 1, maxLength: 25 }),
        setting,
        fc.integer({ min: 1, max: 3 }),
        fc.array(push, { maxLength: 15 }),
        async (rows, spine, given, parts, pushes) => {
          const folder = world.path(`run-${run++}`);
          for (let part = 0; part < parts; part++) {
            await world.put(
              `${folder}-events-${part}.parquet`,
              EVERY_TYPE,
              rows.filter((_, i) => i % parts === part) as Row[],
            );
          }
          await world.put(`${folder}-spine.parquet`, SPINE, spine as Row[]);
          const manifest = manifestFor(given, `${folder}-events-*.parquet`);
          const source = manifest.sources['events'] as SourceSpec;
          const logs = await eventLogWorld();
          const log = await logs.open();
          const pushed = await writePushes(log, source, pushes as readonly PushedBatch[]);
          const definitions = definitionsOf(manifest, world.directory, FUNCTIONS);
          const deps = { ...world.deps, definitions, log, dataDirectory: folder };
          const out = `${folder}-out.parquet`;
          const { service, boundary } = given;
          const record = await world.train(deps, `${folder}-spine.parquet`, { service, labels: ['id'], boundary, out });
          expect((await auditTrainingSet(deps, record.id)).isClean).toBe(true);
          const batch = `${folder}-batch.parquet`;
          await writeFeatureFile(deps, {
            service: given.service,
            input: { path: `${folder}-spine.parquet`, directory: folder },
            timestamp: 'when',
            boundary,
            badRows: 'mark',
            out: batch,
            check: () => {},
          });
          await logs.remove();

          const oracle: World = {
            manifest,
            functions: new Map(Object.entries(FUNCTIONS)),
            rows: { events: countedRows(source, rows as Row[], [...pushed.keys()]) },
            pushed,
          };
          const expected = oracleTrainingSet(oracle, given.service, spine as Row[], 'when', given.boundary);
          const columns = [...SPINE, ...outputFields(manifest, given.service)];
          const got = await world.read(out, columns);
          expectRows(columns, got, expected);
          // A batch has the same, but for rows that a server would refuse: they keep their place, and say so.
          const required = resolveService(manifest, given.service).requestColumns.filter((column) => !mayLack(column));
          const error: Field = { name: ERROR_COLUMN, type: TYPES.string };
          const predicted = await world.read(batch, [...columns, error]);
          expect(predicted.length).toBe(expected.length);
          predicted.forEach((values, i) => {
            const sent = spine[i] as Row;
            const isBad = sent['when'] === null || required.some(({ name }) => (sent[name] ?? null) === null);
            expect((values[ERROR_COLUMN] ?? null) !== null, `row ${i}`).toBe(isBad);
            expectRows(isBad ? SPINE : columns, [values], [expected[i] ?? {}], `of batch row ${i}, row`);
          });
        },
      ),
      { numRuns: runs(60) },
    );
  }, 120_000);
});
