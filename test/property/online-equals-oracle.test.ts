// Online at T equals the naive oracle at T: random histories with late data and tombstones, pushed in random order and
// more than once, partly covered by a base at a random watermark, on both stores.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EncodedKey,
  encodeKey,
  type Field,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  type Row,
  type Value,
} from '../../src/core/index.ts';
import { type FeatureSpec, type Manifest, resolveService, type ViewSpec } from '../../src/definitions/index.ts';
import {
  applyPush,
  type BaseRow,
  createFeatureReader,
  createViewCodec,
  finishBase,
  type LatestRow,
  type OnlineStore,
  type ViewCodec,
  writeBase,
} from '../../src/online/index.ts';
import { eventBatch } from '../../src/online/event-batch.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';
import { oracleView, sameValue } from '../support/oracle.ts';

/** Long past; and far ahead, where every pushed event waits beside the fold until its known time. */
const STARTS = [1_780_000_000_000_000, 4_000_000_000_000_000];
const KEYS = ['a', 'b', ''];

const columns: Field[] = [
  { name: 'k', type: { kind: 'string' } },
  { name: 'happened', type: { kind: 'timestamp' } },
  { name: 'known', type: { kind: 'timestamp' } },
  { name: 'seq', type: { kind: 'int64' } },
  { name: 'gone', type: { kind: 'bool' } },
  { name: 'x', type: { kind: 'float64' } },
  { name: 'n', type: { kind: 'int64' } },
  { name: 's', type: { kind: 'string' } },
];

const window = (
  name: string,
  type: Field['type'],
  op: 'count',
  column: string | null,
  hours: number,
  hop: number,
  n?: number,
): FeatureSpec => ({
  name,
  type,
  aggregation: {
    op,
    column,
    windowMicros: hours * MICROS_PER_HOUR,
    hopMicros: hop * MICROS_PER_MINUTE,
    ...(n === undefined ? {} : { n }),
  },
});
const float64 = { kind: 'float64' } as const;
const int64 = { kind: 'int64' } as const;
const string = { kind: 'string' } as const;
// The helper is typed for one op; every op has the same shape.
const op = (name: string) => name as 'count';
const features: FeatureSpec[] = [
  { name: 'last_x', type: float64, aggregation: { op: 'latest', column: 'x' } },
  { name: 'rows', type: int64, ...pick(window('rows', int64, 'count', null, 6, 5)) },
  window('xs', int64, 'count', 'x', 6, 60),
  window('sum_n', int64, op('sum'), 'n', 24, 60),
  window('mean_x', float64, op('mean'), 'x', 24, 60),
  { name: 'last_s', type: string, aggregation: { op: 'latest', column: 's' } },
  window('max_s', string, op('max'), 's', 6, 60),
  window('final_s', string, op('last'), 's', 24, 60),
  window('recent_s', { kind: 'list', of: string }, op('lastN'), 's', 24, 60, 3),
  window('kinds', int64, op('countDistinct'), 's', 24, 60),
];

function pick({ aggregation }: FeatureSpec): Pick<FeatureSpec, 'aggregation'> {
  return { aggregation };
}

function manifestOf(view: string, freshness: ViewSpec['freshness']): Manifest {
  return {
    format: 1,
    project: 'test',
    entities: { e: { name: 'e', keys: [{ name: 'k', type: string }] } },
    sources: {
      events: {
        name: 'events',
        kind: 'pushed',
        location: {},
        columns,
        derive: [],
        eventTime: 'happened',
        knownTime: { kind: 'column', column: 'known' },
        createdOrder: 'seq',
        tombstone: 'gone',
        pushes: 'keep',
      },
    },
    views: {
      [view]: {
        name: view,
        entity: 'e',
        source: 'events',
        keyColumns: ['k'],
        ttlMicros: 12 * MICROS_PER_HOUR,
        features,
        freshness,
      },
    },
    onDemandViews: {},
    services: {
      all: {
        name: 'all',
        members: [{ kind: 'view', role: 'v', view, keyColumns: ['k'], features: features.map(({ name }) => name) }],
      },
    },
    models: {},
    endpoints: {},
    pipelines: {},
  };
}

const happening = fc.record({
  minute: fc.integer({ min: 0, max: 2880 }),
  late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 600 })),
  k: fc.constantFrom(...KEYS, null),
  x: fc.option(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(0.5, -0)), { freq: 4 }),
  n: fc.option(fc.oneof(fc.bigInt(-10n, 10n), fc.constantFrom(2n ** 55n + 1n, -(2n ** 55n) - 3n)), { freq: 4 }),
  s: fc.option(fc.constantFrom('', 'é', 'zz', 'long enough not to fit in anything short'), { freq: 4 }),
  gone: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(false, null) }, { weight: 1, arbitrary: fc.constant(true) }),
});

/** What materialize computes: every key's state over the rows known by `asOf`. */
function baseRows(codec: ViewCodec, rows: readonly Row[], asOf: number): BaseRow<EncodedKey>[] {
  return KEYS.map((k) => {
    const counted = rows
      .filter((row) => row['k'] === k && (row['known'] as number) <= asOf)
      .sort((a, b) => Number(a['seq']) - Number(b['seq']));
    const events = counted.map((row) => ({
      eventMicros: row['happened'] as number,
      knownMicros: row['known'] as number,
      order: Number(row['seq']),
      arrival: Number(row['seq']),
      deleted: row['gone'] === true,
      row: new Uint8Array(),
      isIncomplete: false,
      values: codec.eventColumns.map((column) => row[column] ?? null),
    }));
    const tiles = codec.aggregator?.create() ?? null;
    const facts = events.filter((event) => !event.deleted);
    if (codec.aggregator !== null && tiles !== null) {
      const batch = eventBatch(codec.aggregator.inputs, codec.inputPlaces, facts);
      facts.forEach((_, index) => codec.aggregator?.update(tiles, batch, index));
    }
    let latest: LatestRow | null = null;
    for (const event of events) {
      const order =
        latest === null
          ? 1
          : event.eventMicros - latest.eventMicros ||
            event.knownMicros - latest.knownMicros ||
            event.order - latest.order;
      if (order > 0) latest = { ...event, values: codec.latestPlaces.map((place) => event.values[place] ?? null) };
    }
    return { key: keyOf(k), latest, tiles: events.length === 0 ? null : tiles };
  });
}

const keyOf = (k: string): EncodedKey => encodeKey([string], [k]) as EncodedKey;

describe.each(onlineStoreKinds())('features on $name', ({ name: kind, prepare }) => {
  let place: OnlineStorePlace;
  let store: OnlineStore;
  beforeAll(async () => {
    place = await prepare();
    store = await place.open();
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  it.each(['live', 'scheduled'] as const)(
    'read online equal the oracle, for a %s view',
    async (freshness) => {
      let trial = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(happening, { maxLength: 40 }),
          fc.integer({ min: 0, max: 3000 }),
          fc.integer({ min: 0, max: 3000 }),
          fc.infiniteStream(fc.nat()),
          fc.boolean(),
          fc.boolean(),
          fc.constantFrom(...STARTS),
          async (happenings, watermarkMinute, laterMinute, random, materializes, isFull, start) => {
            const every = { kind: 'scheduled', everyMicros: MICROS_PER_HOUR, lagMicros: 0 } as const;
            const view = `v${trial++}${freshness}`;
            const manifest = manifestOf(view, freshness === 'live' ? { kind: 'live' } : every);
            const service = resolveService(manifest, 'all');
            const codec = createViewCodec(manifest, view);
            const rows: Row[] = happenings.map(({ minute, late, ...row }, index) => ({
              ...row,
              happened: start + minute * MICROS_PER_MINUTE,
              known: start + (minute + late) * MICROS_PER_MINUTE,
              seq: BigInt(index + 1),
            }));
            // A scheduled view's runs start at whole hours, and the read below sees the run as the last one.
            const exact = start + watermarkMinute * MICROS_PER_MINUTE;
            const asOf = freshness === 'live' ? exact : Math.floor(exact / MICROS_PER_HOUR) * MICROS_PER_HOUR;
            const at =
              freshness === 'live'
                ? asOf + laterMinute * MICROS_PER_MINUTE
                : asOf + (laterMinute % 60) * MICROS_PER_MINUTE;

            const order = [...random.take(rows.length)];
            const shuffled = rows
              .map((row, index) => ({ row, sort: order[index] as number }))
              .sort((a, b) => a.sort - b.sort);
            const pushed = shuffled.map(({ row }) => ({
              row,
              knownMicros: row['known'] as number,
              order: Number(row['seq']),
            }));
            const half = Math.floor(pushed.length / 2);
            await applyPush(store, manifest, 'events', pushed.slice(0, half));
            if (materializes || freshness === 'scheduled') {
              await writeBase(store, codec, baseRows(codec, rows, asOf), asOf);
              await finishBase(store, codec, asOf, { isFull });
              // An older run that comes late changes nothing.
              await writeBase(store, codec, baseRows(codec, rows, asOf - MICROS_PER_DAY), asOf - MICROS_PER_DAY);
            }
            for (const one of pushed.slice(half)) await applyPush(store, manifest, 'events', [one]);
            await applyPush(store, manifest, 'events', pushed);

            const reader = createFeatureReader(manifest, service, store);
            const keys = [...KEYS.map((k) => [keyOf(k)]), [undefined]];
            const read = await reader.read(keys, at, () => asOf);
            [...KEYS, null].forEach((k, row) => {
              const expected = oracleView({ manifest, rows: { events: rows } }, view, [k], at);
              features.forEach(({ name, type }, feature) => {
                const value = read[row]?.[0]?.values[feature] as Value;
                const isSame = sameValue(type, value, expected[feature] as Value);
                if (!isSame) expect({ k, name, value }).toEqual({ k, name, value: expected[feature] });
                const status = read[row]?.[0]?.statuses[feature];
                expect(value === null ? status !== 'PRESENT' : status === 'PRESENT' || status === 'NOT_FOUND').toBe(
                  true,
                );
              });
            });
          },
        ),
        { numRuns: kind === 'lmdb' ? 120 : 40 },
      );
    },
    60_000,
  );
});
