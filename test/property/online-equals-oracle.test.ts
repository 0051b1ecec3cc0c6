// Online at T equals the naive oracle at T: random events with late knowledge, tombstones and ties, of which a run's base
// counts some and the parts of several writers, cuts and boundaries hold the rest, on both stores.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  floorTo,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  type Micros,
  type Row,
  type Value,
} from '../../src/core/index.ts';
import { type Manifest, resolveService } from '../../src/definitions/index.ts';
import {
  boundaryOf,
  createFeatureReader,
  createPartFolder,
  createViewCodec,
  isCovered,
  type OnlineStore,
  type OpenedRow,
  type PartWrite,
  type StoreWriter,
  type ViewEvent,
} from '../../src/online/index.ts';
import { eventManifest } from '../support/event-definitions.ts';
import { baseOf, directoryOf, eventOf, runRow } from '../support/fold-world.ts';
import { keyOf } from '../support/ingestion-world.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';
import { oracleView, sameValue } from '../support/oracle.ts';
import { expectPlacedAsRead } from '../support/placed-as-read.ts';
import { runs } from '../support/tier.ts';

const START = 1_780_000_000_000_000;
const KEYS = ['a', 'b', ''];
const FOR_EVER = () => undefined;

const happening = fc.record({
  minute: fc.integer({ min: 0, max: 2880 }),
  late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 600 })),
  k: fc.constantFrom(...KEYS, null),
  x: fc.option(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(0.5, -0)), { freq: 4 }),
  n: fc.option(fc.oneof(fc.bigInt(-10n, 10n), fc.constantFrom(2n ** 55n + 1n, -(2n ** 55n) - 3n)), { freq: 4 }),
  s: fc.option(fc.constantFrom('', 'é', 'zz', 'long enough not to fit in anything short'), { freq: 4 }),
  gone: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(false, null) }, { weight: 1, arbitrary: fc.constant(true) }),
  /** In which of three writers' logs and in which cut it lies; writer 0 stands for the files. */
  writer: fc.constantFrom(0, 1, 2, 3),
  cut: fc.constantFrom(1, 2, 3),
  /** When it is folded, in minutes after it is known or before. */
  folded: fc.integer({ min: -600, max: 600 }),
});

/** What a run counts: cuts by writer (a writer below the floor whole), and its boundary in minutes, null for none. */
const counted = fc.record({
  floor: fc.constantFrom(1, 2),
  cuts: fc.dictionary(fc.constantFrom('2', '3'), fc.integer({ min: 0, max: 3 })),
  boundary: fc.option(fc.integer({ min: -60, max: 2940 })),
});

interface Placed {
  readonly row: Row;
  readonly event: ViewEvent;
  readonly k: string;
  readonly writer: number;
  readonly cut: number;
  readonly foldedAt: Micros;
}

describe.each(onlineStoreKinds())('features on $name', ({ name: kind, prepare }) => {
  let place: OnlineStorePlace;
  let store: OnlineStore;
  let writer: StoreWriter;
  beforeAll(async () => {
    place = await prepare();
    store = await place.open();
    writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: FOR_EVER, onNode() {} });
  });
  afterAll(async () => {
    await writer.close();
    await store.close();
    await place.remove();
  });

  const writeParts = async (manifest: Manifest, placed: readonly Placed[], boundaries: readonly Micros[]) => {
    const codec = createViewCodec(manifest, Object.keys(manifest.views)[0] as string);
    const folder = createPartFolder(codec);
    const writes = new Map<string, PartWrite>();
    let n = 0;
    for (const { k, event, writer, cut, foldedAt } of placed) {
      if (writer === 0) continue;
      const boundary = boundaryOf(boundaries, event.eventMicros);
      if (boundary === undefined) continue;
      const id = JSON.stringify([k, writer, cut, boundary]);
      const current = writes.get(id)?.fold;
      const ref = { entity: 'e', key: keyOf(k), version: codec.version };
      const fold = folder.fold(current, [event], foldedAt);
      writes.set(id, { ...ref, writer, cut, boundary, holder: 1, n: ++n, fold });
    }
    await writer.putParts([...writes.values()]);
  };

  const writeBases = async (manifest: Manifest, run: OpenedRow, placed: readonly Placed[]) => {
    const codec = createViewCodec(manifest, Object.keys(manifest.views)[0] as string);
    const link = await store.run({
      version: codec.version,
      entity: 'e',
      run: run.number,
      lifetimeMs: FOR_EVER,
      isOpen: async () => true,
    });
    for (const node of link.nodes) {
      await link.begin(node);
      const mine = KEYS.filter((k) => link.nodeOf('e', keyOf(k)) === node);
      await link.write(
        node,
        mine.map((k) => {
          const events = placed.filter((one) => one.k === k && isCounted(run, one)).map(({ event }) => event);
          // A scheduled view's later facts are a later run's.
          const own = run.carriesWaiting ? events : events.filter(({ knownMicros }) => knownMicros <= run.asOf);
          return { entity: 'e', key: keyOf(k), base: baseOf(codec, run.number, run.asOf, own) };
        }),
      );
      await link.mark(node);
    }
    await link.close();
  };

  it.each(['live', 'scheduled'] as const)(
    'read online equal the oracle, for a %s view',
    async (freshness) => {
      let trial = 0;
      let compared = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(happening, { maxLength: 40 }),
          fc.array(counted, { maxLength: 3 }),
          fc.integer({ min: 0, max: 3000 }),
          fc.infiniteStream(fc.nat()),
          async (happenings, runs, minute, random) => {
            const isLive = freshness === 'live';
            const every = { kind: 'scheduled', everyMicros: MICROS_PER_HOUR, lagMicros: 0 } as const;
            // A view of its own for each trial: they share the store.
            const view = `${freshness}${trial++}`;
            const manifest = eventManifest({ view, freshness: isLive ? { kind: 'live' } : every });
            const codec = createViewCodec(manifest, view);
            const offsets = [...random.take(happenings.length)];
            const at = START + minute * MICROS_PER_MINUTE;
            const placed = happenings.map(({ minute, late, writer, cut, folded, ...values }, i): Placed => {
              const happened = START + minute * MICROS_PER_MINUTE;
              const row = { ...values, happened, known: happened + late * MICROS_PER_MINUTE, seq: BigInt(i) };
              const where = writer === 0 ? undefined : { writer, offset: i };
              const event = eventOf(codec, row, where);
              // Nothing is read as at a time before it was folded.
              const foldedAt = Math.min(at, event.knownMicros + folded * MICROS_PER_MINUTE);
              return { row, event, k: values.k ?? 'nobody', writer, cut, foldedAt };
            });
            const shuffled = placed.toSorted(
              (a, b) => (offsets[placed.indexOf(a)] ?? 0) - (offsets[placed.indexOf(b)] ?? 0),
            );
            const asOf = isLive ? at - ((offsets[0] ?? 0) % 600) * MICROS_PER_MINUTE : floorTo(at, MICROS_PER_HOUR);
            // One run after the other; a writer knew of the boundaries of all.
            const rows = runs.map(({ floor, cuts, boundary }, i) =>
              runRow(i + 1, {
                asOf,
                boundary: boundary === null ? -Infinity : START + boundary * MICROS_PER_MINUTE,
                coverage: { floor, cuts: new Map(Object.entries(cuts).map(([writer, cut]) => [Number(writer), cut])) },
                carriesWaiting: isLive,
              }),
            );
            const directory = directoryOf(rows);
            const boundaries = [-Infinity, ...rows.map((row) => row.boundary)];
            const half = shuffled.slice(0, shuffled.length >> 1);
            // A scheduled view has no parts, only what its runs count.
            if (isLive) await writeParts(manifest, half, boundaries);
            for (const run of rows) await writeBases(manifest, run, placed);
            if (isLive) await writeParts(manifest, [...half, ...shuffled.slice(half.length)], boundaries);

            const run = rows.at(-1);
            const there = placed
              .filter((one) =>
                run === undefined ? isLive && one.writer !== 0 : isCounted(run, one) || isBesideRun(run, one, isLive),
              )
              .map(({ row }) => row);
            const asOfRun = { ...directory, lastFinished: () => run };
            const reader = createFeatureReader(manifest, resolveService(manifest, view), store, asOfRun);
            const keys = [...KEYS.map((k) => [keyOf(k)]), [undefined]];
            const read = await reader.read(keys, at);
            await expectPlacedAsRead({ manifest, service: view, store, directory: asOfRun, keys, at });
            [...KEYS, null].forEach((k, i) => {
              const expected = oracleView({ manifest, rows: { events: there } }, view, [k], at);
              codec.view.features.forEach(({ name, type }, feature) => {
                const value = read[i]?.[0]?.values[feature] as Value;
                const wanted = expected[feature] as Value;
                compared++;
                if (!sameValue(type, value, wanted)) expect({ k, name, value }).toEqual({ k, name, value: wanted });
                const status = read[i]?.[0]?.statuses[feature];
                expect(value === null ? status !== 'PRESENT' : status === 'PRESENT' || status === 'NOT_FOUND').toBe(
                  true,
                );
              });
            });
          },
        ),
        { numRuns: runs(kind === 'lmdb' ? 300 : 60) },
      );
      expect(compared).toBeGreaterThan(1000);
    },
    60_000,
  );
});

/** Whether a run's bases count an event: of the files up to its boundary, of the covered cuts past it. */
function isCounted(run: OpenedRow, { writer, cut, event }: Placed): boolean {
  // Without a boundary the log counts from the beginning, beside all of the files.
  if (writer === 0) return run.boundary === -Infinity || event.eventMicros <= run.boundary;
  return event.eventMicros > run.boundary && isCovered(run.coverage, writer, cut);
}

/** Whether a part holds what the run does not count. */
function isBesideRun(run: OpenedRow, { writer, cut, event }: Placed, isLive: boolean): boolean {
  return isLive && writer !== 0 && event.eventMicros > run.boundary && !isCovered(run.coverage, writer, cut);
}
