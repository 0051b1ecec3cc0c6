// Records whose bytes are damaged, cut off or no record at all: they are INVALID, or read as whatever record the bytes
// happen to be; reading never fails otherwise, never hangs and never asks for memory that isn't there.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DataType, HeadraceError, MICROS_PER_MINUTE } from '../../src/core/index.ts';
import type { FeatureSpec, SourceSpec } from '../../src/definitions/index.ts';
import {
  createPartFolder,
  createRecordReader,
  createViewCodec,
  type ReadView,
  type StoredRecord,
} from '../../src/online/index.ts';
import { ByteWriter } from '../../src/online/records/bytes.ts';
import { compileRowCodec } from '../../src/online/records/row-codec.ts';
import { rowSchema } from '../../src/online/records/row-schema.ts';
import { JsonBytes } from '../../src/serving/json-bytes.ts';
import { EVENT_FEATURES, eventManifest } from '../support/event-definitions.ts';
import { baseOf, directoryOf, eventOf, recordOf, runRow } from '../support/fold-world.ts';
import { runs } from '../support/tier.ts';

const NOW = 1_790_000_000_000_000;
const codec = createViewCodec(eventManifest(), 'v');
const folder = createPartFolder(codec);
const isLatest = ({ aggregation }: FeatureSpec): boolean => aggregation.op === 'latest';
const latest = codec.view.features.flatMap(({ aggregation }, at) => (aggregation.op === 'latest' ? [at] : []));
const directory = directoryOf([runRow(1, { asOf: NOW })]);
const readers = [createRecordReader(codec, directory), createRecordReader(codec, directory, latest)];
const events = [0, 30, 61, 400, 1500].map((minutesAgo, offset) => {
  const happened = NOW - minutesAgo * MICROS_PER_MINUTE;
  // One waits: it is known only later.
  const known = minutesAgo === 30 ? NOW + 60 * MICROS_PER_MINUTE : happened;
  const values = { x: minutesAgo + 0.5, n: 2n ** 40n + BigInt(offset), s: `text ${offset}`, seq: BigInt(offset) };
  return eventOf(codec, { happened, known, ...values }, { writer: 1, offset });
});
const BASE = baseOf(codec, 1, NOW, events);
const FOLD = folder.fold(undefined, events, NOW);
const part = (fold: Uint8Array) => ({ writer: 1, cut: 1, boundary: -Infinity, fold });

/** Bytes at some places. */
const damageOf = (minLength: number, maxLength: number) =>
  fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength, maxLength });
function damaged(whole: Uint8Array, places: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(whole);
  for (const [at, value] of places) if (bytes.length > 0) bytes[at % bytes.length] = value;
  return bytes;
}

/** Reads in each way; a mistake that the catalogue has is an answer too. */
function readAll(record: StoredRecord): (ReadView | undefined)[] {
  return readers.flatMap((reader) =>
    [NOW, NOW + 90 * MICROS_PER_MINUTE].flatMap((at) => {
      try {
        const found = reader.find(record, at);
        if (typeof found === 'symbol') {
          const out = new JsonBytes();
          for (const feature of latest) reader.give(reader.found.bytes, reader.found.at, feature, out);
        }
        return [reader.read(record, at)];
      } catch (error) {
        if (error instanceof HeadraceError) return [];
        throw error;
      }
    }),
  );
}

const isInvalid = (view: ReadView | undefined) =>
  view !== undefined &&
  view.statuses.every((status) => status === 'INVALID' || status === 'NOT_FOUND') &&
  view.statuses.includes('INVALID');

describe('a record', () => {
  it('that is whole is none of them', () => {
    expect(readAll(recordOf({ base: BASE })).some(isInvalid)).toBe(false);
    expect(readAll(recordOf({ parts: [part(FOLD)] })).some(isInvalid)).toBe(false);
  });

  it('that is cut off anywhere is INVALID', () => {
    const cutOff = [
      ...Array.from(BASE, (_, length) => recordOf({ base: BASE.slice(0, length) })),
      ...Array.from(FOLD, (_, length) => recordOf({ parts: [part(FOLD.slice(0, length))] })),
    ];
    expect(cutOff.filter((record) => !readAll(record).every(isInvalid))).toEqual([]);
  });

  it('with damaged bytes, or of bytes that never were one, fails nothing', () => {
    const whole = fc.constantFrom(BASE, FOLD);
    fc.assert(
      fc.property(
        damageOf(1, 6),
        whole,
        fc.uint8Array({ maxLength: 200 }),
        fc.boolean(),
        (places, whole, random, isRandom) => {
          const bytes = damaged(whole, places);
          if (isRandom) bytes.set(random.subarray(0, bytes.length - 2), 2);
          readAll(recordOf({ base: bytes }));
          readAll(recordOf({ parts: [part(bytes)] }));
          readAll(recordOf({ base: BASE, parts: [part(bytes)] }));
          readAll(recordOf({ base: random, parts: [part(random)] }));
        },
      ),
      { numRuns: runs(5000) },
    );
  });
});

it('a mistake of ours is thrown, and passes for no damage', () => {
  const { aggregator } = codec;
  if (aggregator === null) throw new Error('the view has windows');
  const mistaken = (): never => {
    throw new TypeError('ours');
  };
  for (const broken of [
    { ...aggregator, decode: mistaken },
    { ...aggregator, value: (_: unknown, __: number, time: number) => (time === 0 ? null : mistaken()) },
  ]) {
    const reader = createRecordReader({ ...codec, aggregator: broken }, directory);
    expect(() => reader.read(recordOf({ base: BASE }), NOW)).toThrow(TypeError);
  }
});

it('a list that is damaged within is INVALID, and the row’s other columns are read', () => {
  const column = { name: 'tags', type: { kind: 'list', of: { kind: 'string' } } as const };
  const feature = { ...column, aggregation: { op: 'latest', column: 'tags' } as const };
  const manifest = eventManifest({ features: [feature, ...EVENT_FEATURES.filter(isLatest)] });
  const events = manifest.sources['events'] as SourceSpec;
  const own = { ...manifest, sources: { events: { ...events, columns: [...events.columns, column] } } };
  const listed = createViewCodec(own, 'v');
  const reader = createRecordReader(listed, directory);
  const happened = NOW - MICROS_PER_MINUTE;
  const row = { happened, x: 1, n: 2n, s: 'text', tags: ['first', 'second'] };
  const event = eventOf(listed, row, { writer: 1, offset: 1 });
  const base = baseOf(listed, 1, NOW, [event]);
  expect(reader.read(recordOf({ base }), NOW)?.values[0]).toEqual(['first', 'second']);
  const at = Buffer.from(base).indexOf('first') - 4;
  base.set([255, 255, 255, 255], at);
  const damaged = reader.find(recordOf({ base }), NOW);
  expect(damaged).toMatchObject({ values: expect.arrayContaining(['text']) });
  expect((damaged as ReadView).statuses[0]).toBe('INVALID');
  expect((damaged as ReadView).values[0]).toBeNull();
});

it('a base that stands alone, damaged or not, is found nowhere but where a look at its whole record finds it', () => {
  const manifest = eventManifest({ features: EVENT_FEATURES.filter(isLatest), ttlMicros: 60 * MICROS_PER_MINUTE });
  const plain = createViewCodec(manifest, 'v');
  const reader = createRecordReader(plain, directoryOf([runRow(1, { asOf: NOW }), runRow(7, { asOf: NOW })]));
  const event = eventOf(plain, { happened: NOW, x: 1.5, n: 2n, s: 'text', seq: 1n }, { writer: 1, offset: 1 });
  const deleted = { ...event, deleted: true };
  const bases = [[event], [deleted], []].map((of) => baseOf(plain, 1, NOW, of));
  const minutes = fc.constantFrom(-1, 0, 1, 60, 61);
  const damage = fc.oneof({ arbitrary: fc.constant([]), weight: 2 }, { arbitrary: damageOf(1, 3), weight: 1 });
  const cut = fc.oneof({ arbitrary: fc.constant(null), weight: 4 }, { arbitrary: fc.nat(), weight: 1 });
  const counts = { inPlace: 0, elsewhere: 0 };
  fc.assert(
    fc.property(
      fc.constantFrom(...bases),
      damage,
      cut,
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ maxLength: 100 }),
      minutes,
      minutes,
      (whole, places, cutAt, before, after, later, skew) => {
        const base = damaged(whole.subarray(0, cutAt === null ? undefined : cutAt % (whole.length + 1)), places);
        const bytes = Buffer.concat([before, base, after]);
        const memory = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
        const [at, skewMicros] = [NOW + later * MICROS_PER_MINUTE, Math.max(0, skew) * MICROS_PER_MINUTE];
        const [from, to] = [before.length, before.length + base.length];
        const start = reader.findBase(memory, from, to, at, skewMicros);
        const found = reader.find({ base, parts: [] }, at, skewMicros);
        const expected = typeof found === 'symbol' ? from + reader.found.at : -1;
        // Of damaged bytes it may leave more to the whole look.
        if (start >= 0 || places.length === 0) expect(start).toBe(expected);
        counts[start < 0 ? 'elsewhere' : 'inPlace']++;
      },
    ),
    { numRuns: runs(10_000) },
  );
  expect(counts.inPlace).toBeGreaterThan(runs(500));
  expect(counts.elsewhere).toBeGreaterThan(runs(500));
});

it('a column of damaged bytes gives a value or says that they are damaged', () => {
  const types: readonly DataType[] = [
    { kind: 'string' },
    { kind: 'list', of: { kind: 'string' } },
    { kind: 'list', of: { kind: 'list', of: { kind: 'int64' } } },
    { kind: 'vector', size: 2 },
    { kind: 'bytes' },
  ];
  const row = compileRowCodec(rowSchema(types.map((type, at) => ({ name: `c${at}`, type }))));
  const writer = new ByteWriter();
  row.write(writer, {
    eventMicros: 1,
    knownMicros: 1,
    values: ['text', ['a', null, 'b'], [[1n], null], Float32Array.of(1, 2), Uint8Array.of(1, 2, 3)],
  });
  const whole = writer.take();
  expect(row.isWhole(whole, 0, whole.length)).toBe(true);
  for (let length = 0; length < whole.length; length++) expect(row.isWhole(whole, 0, length)).toBe(false);
  const out = new JsonBytes();
  fc.assert(
    fc.property(damageOf(0, 6), (places) => {
      const bytes = damaged(whole, places);
      if (!row.isWhole(bytes, 0, bytes.length)) return;
      for (const column of types.keys()) {
        for (const read of [() => row.readColumn(bytes, 0, column), () => row.giveColumn(bytes, 0, column, out)]) {
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
        out.reset();
      }
    }),
    { numRuns: runs(5000) },
  );
});
