// Wherever a source's rows lie, its features are what the oracle says of them, in a training set and online; a snapshot of
// it is known again, and what changed in it is told.

import { renameSync, rmSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type DataType,
  fixedClock,
  MICROS_PER_MINUTE,
  type Micros,
  type Row,
  type Value,
} from '../../src/core/index.ts';
import type { FeatureSpec, Manifest, WindowOp } from '../../src/definitions/index.ts';
import {
  auditTrainingSet,
  getTrainingSet,
  inspectPlace,
  materialize,
  type OfflineDeps,
  proposeDefinition,
  sourceAtPath,
} from '../../src/offline/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';
import { quoteText } from '../../src/storage/index.ts';
import { openDirectory } from '../support/materialize-world.ts';
import {
  fields,
  manifestOf,
  memberOf,
  type OfflineWorld,
  openOfflineWorld,
  sourceOf,
  TYPES,
  viewOf,
  latest,
  windowed,
} from '../support/offline-world.ts';
import { expectRows, oracleTrainingSet } from '../support/oracle.ts';
import { readService } from '../support/read-service.ts';
import { refused } from '../support/refused.ts';
import { type OpenPlace, type SourcePlace, sourcePlaces } from '../support/source-places.ts';
import { runs } from '../support/tier.ts';

const START = 1_700_000_000_000_000;
const HOUR = 60 * MICROS_PER_MINUTE;

const { int64, int32, string, timestamp, bool, float64, float32, bytes } = TYPES;
const DATA = { price: float64, amount: int64, small: int32, single: float32, tag: string, raw: bytes, seen: timestamp };
const COLUMNS = fields({
  id: int64,
  region: string,
  at: timestamp,
  known: timestamp,
  seq: int64,
  gone: bool,
  ...DATA,
});
const SPINE = fields({ when: TYPES.timestamp, id: TYPES.int64, region: TYPES.string });

const instant = fc
  .tuple(fc.integer({ min: -30, max: 30 }), fc.constantFrom(-1, 0, 0, 1))
  .map(([steps, micros]) => START + steps * 5 * MICROS_PER_MINUTE + micros);
const nullable = <T extends Value>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 6 });
const id = fc.constantFrom<bigint>(1n, 1n, 11n, 2n ** 53n + 1n, -(2n ** 63n));
// A text that SQL, CSV or a shell would take for something else.
const region = fc.constantFrom('north', 'north', 'o\'brien "x"', 'é\\n,;\t', '', 'null');
const row: fc.Arbitrary<Row> = fc.record({
  id: nullable(id),
  region: nullable(region),
  at: nullable(instant),
  known: nullable(instant),
  seq: nullable(fc.constantFrom(0n, 1n, 2n ** 53n + 1n)),
  gone: nullable(fc.constantFrom(false, false, false, true)),
  price: nullable(fc.constantFrom(0.1, -0.3, 1e300, 5e-324, Infinity)),
  amount: nullable(fc.constantFrom(2n ** 53n + 1n, -7n, 0n)),
  small: nullable(fc.constantFrom(-(2 ** 31), 0, 2 ** 31 - 1)),
  single: nullable(fc.constantFrom(0.5, -1.25)),
  tag: nullable(region),
  raw: nullable(fc.constantFrom(Uint8Array.of(), Uint8Array.of(0, 255, 92, 39))),
  seen: nullable(instant),
});
const spineRow: fc.Arbitrary<Row> = fc.record({ when: nullable(instant), id: nullable(id), region: nullable(region) });

/** A spine without a time, and two files of one row each: no row's file is needed, with or without an event time. */
const NOTHING: Row = Object.fromEntries(COLUMNS.map(({ name }) => [name, null]));
const NO_TIMES: [Row[], Row[], null] = [
  [
    { ...NOTHING, region: 'north', known: START, price: 0.1 },
    { ...NOTHING, id: 1n, at: START, amount: 1n, seen: START },
  ],
  [{ when: null, id: null, region: 'north' }],
  null,
];

/** The row as the place can hold it. */
function heldBy({ lacks }: SourcePlace, row: Row): Row {
  if (lacks === 'infinity' && row['price'] === Infinity) return { ...row, price: 1e300 };
  return lacks === 'null tags' && row['tag'] === null ? { ...row, tag: 'none' } : row;
}

const window = (op: WindowOp, column: string | null, type: DataType): FeatureSpec =>
  windowed(`${op}_${column ?? 'rows'}_1h`, type, op, column, HOUR, 5 * MICROS_PER_MINUTE);
const FEATURES: readonly FeatureSpec[] = [
  ...Object.entries(DATA).map(([name, type]) => latest(`last_${name}`, type, name)),
  window('count', null, int64),
  window('sum', 'amount', int64),
  window('max', 'tag', string),
  window('last', 'seen', timestamp),
  window('countDistinct', 'raw', int64),
];

/** With a bound for all that is `latest`, what came long before is not read. */
function manifestFor({ located }: OpenPlace, ttlMicros: Micros | null): Manifest {
  const knownTime = { kind: 'column', column: 'known' } as const;
  const things = viewOf('things', 'thing', 'events', ['id'], FEATURES, { ttlMicros: 2 * HOUR });
  const spots = viewOf('spots', 'spot', 'events', ['id', 'region'], FEATURES.slice(4), { ttlMicros });
  return manifestOf({
    entities: {
      thing: { name: 'thing', keys: fields({ id: TYPES.int64 }) },
      spot: { name: 'spot', keys: fields({ id: TYPES.int64, region: TYPES.string }) },
    },
    sources: {
      events: sourceOf('events', '', COLUMNS, { ...located, knownTime, createdOrder: 'seq', tombstone: 'gone' }),
    },
    views: { things, spots },
    services: { all: { name: 'all', members: [memberOf(things), memberOf(spots)] } },
  });
}

const OUTPUT = [
  ...SPINE,
  ...FEATURES.map((feature) => ({ ...feature, name: `things__${feature.name}` })),
  ...FEATURES.slice(4).map((feature) => ({ ...feature, name: `spots__${feature.name}` })),
];

describe.each(sourcePlaces())('a source of $name', (place) => {
  let world: OfflineWorld;
  beforeAll(async () => {
    await place.start();
    world = await openOfflineWorld([], place);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await place.stop();
  });

  const depsFor = (open: OpenPlace, ttlMicros: Micros | null = null): OfflineDeps => ({
    ...world.depsOf(manifestFor(open, ttlMicros)),
    ...(open.remote !== undefined && { remote: open.remote }),
  });
  let sets = 0;
  const make = async (deps: OfflineDeps, spine: readonly Row[]) =>
    world.train(deps, await world.put(`spine-${++sets}.parquet`, SPINE, spine), {
      service: 'all',
      out: world.path(`out-${sets}.parquet`),
    });

  it('gives training sets that hold what the oracle says, and that an audit proves', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 40 }),
        fc.array(spineRow, { minLength: 1, maxLength: 15 }),
        fc.constantFrom(null, HOUR),
        async (drawn, spine, ttlMicros) => {
          const open = await place.open(world);
          const rows = drawn.map((row) => heldBy(place, row));
          await open.put(COLUMNS, rows);
          const deps = depsFor(open, ttlMicros);
          const set = await make(deps, spine);
          const { manifest } = deps.definitions;
          const expected = oracleTrainingSet({ manifest, rows: { events: rows } }, 'all', spine, 'when', 'at');
          const got = await world.read(set.path, OUTPUT);
          expectRows(OUTPUT, got, expected);
          expect((await auditTrainingSet(deps, set.id)).isClean).toBe(true);
          expect((await make(deps, spine)).id).toBe(set.id);
        },
      ),
      { numRuns: runs(place.runs ?? 8), examples: [NO_TIMES] },
    );
  });

  const plain = (n: number, price: number): Row => ({
    id: BigInt(n % 3),
    region: 'north',
    at: START + n * MICROS_PER_MINUTE,
    known: START + n * MICROS_PER_MINUTE,
    seq: BigInt(n),
    gone: false,
    price,
    amount: 1n,
    small: n,
    single: 1,
    tag: `t${n}`,
    raw: Uint8Array.of(n),
    seen: START,
  });

  it('fills the online store with the same, and knows when nothing is new', async () => {
    const open = await place.open(world);
    const rows = Array.from({ length: 20 }, (_, n) => plain(n, n));
    await open.put(COLUMNS, rows);
    const now = START + HOUR;
    const clock = fixedClock(now);
    const deps = { ...depsFor(open), clock };
    const { manifest } = deps.definitions;
    const { logger, database } = world.deps;
    const store = await openOnlineStore(`lmdb:${world.path(`online-${++sets}`)}`, { project: 'test', clock, logger });
    onTestFinished(() => store.close());
    const fill = (incremental: boolean) => materialize({ ...deps, store }, { incremental, dryRun: false });
    const key = { id: 1n, region: 'north' };
    const check = async (of: readonly Row[]) => {
      const expected = oracleTrainingSet(
        { manifest, rows: { events: of } },
        'all',
        [{ when: now, ...key }],
        'when',
        'at',
      );
      const read = await readService(manifest, store, await openDirectory(database), 'all', [key], now);
      expectRows(OUTPUT.slice(SPINE.length), read, expected);
    };
    await fill(false);
    await check(rows);
    expect((await fill(true)).views.map(({ state }) => state)).toEqual(['up-to-date', 'up-to-date']);
    const more = [...rows, plain(22, 100), plain(25, 101)];
    await open.put(COLUMNS, more);
    await fill(true);
    await check(more);
  });

  it.runIf(place.isInspected)('is looked into for its columns and their types', async () => {
    const open = await place.open(world);
    await open.put(COLUMNS, [plain(1, 1)]);
    const deps = { ...world.deps, ...(open.remote !== undefined && { remote: open.remote }) };
    const found = await inspectPlace(open.located, world.directory, deps);
    const suggested = found.columns.map(({ name, suggested: type }) => ({ name, type }));
    // What a path tells of its files comes after their columns.
    expect(suggested.slice(0, COLUMNS.length)).toEqual(COLUMNS);
    expect(proposeDefinition(found).eventTime).toBe('at');
    // By a path alone, as users type it, it is known what lies there.
    const { path } = open.located.location;
    if (path !== undefined) expect(await sourceAtPath(path, world.directory, deps)).toMatchObject(open.located);
  });

  it('tells an audit that its rows are others by now, or gives it those that were', async () => {
    const open = await place.open(world);
    await open.put(COLUMNS, [plain(1, 1), plain(2, 2)]);
    const deps = depsFor(open);
    const set = await make(deps, [{ when: START + HOUR, id: 1n, region: 'north' }]);
    await open.put(COLUMNS, [plain(1, 1000), plain(2, 2)]);
    if (place.keepsSnapshots !== true && place.keepsRows !== true) {
      await refused(auditTrainingSet(deps, set.id), 'HR_AUDIT_FAILED');
      return;
    }
    expect((await auditTrainingSet(deps, set.id)).isClean).toBe(true);
    if (place.keepsSnapshots === true) return;
    const [kept] = (await getTrainingSet(deps, set.id)).sources.flatMap(({ files }) => files);
    if (kept === undefined) throw new Error('a set over a source names its files');
    const altered = world.path(`altered-${sets}.parquet`);
    const from = `(SELECT * REPLACE (price + 1 AS price) FROM read_parquet(${quoteText(kept.path)}))`;
    await world.connection.run(`COPY ${from} TO ${quoteText(altered)} (FORMAT parquet)`);
    renameSync(altered, kept.path);
    await refused(auditTrainingSet(deps, set.id), 'HR_AUDIT_FAILED');
    rmSync(kept.path);
    await expect(auditTrainingSet(deps, set.id)).rejects.toThrow(`${kept.path} is gone`);
  });
});
