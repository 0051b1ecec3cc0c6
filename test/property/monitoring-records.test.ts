// Records of the prediction log: what is written is read, whatever the fields; what a crash tore or a bit turned is told
// apart from what is whole, at every byte.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, type DataType, type Field, sha256Hex, type Value } from '../../src/core/index.ts';
import { type NamedSchema, nameSchema, readSchema } from '../../src/monitoring/prediction-log/arm-schema.ts';
import { crc32c } from '../../src/monitoring/prediction-log/crc32c.ts';
import { type Frame, KIND, readFrames, SEGMENT_HEAD } from '../../src/monitoring/prediction-log/frame.ts';
import { packOutcome, readOutcome } from '../../src/monitoring/prediction-log/outcome-record.ts';
import type { ArmSchema, PredictionRecord, RecordRoute } from '../../src/monitoring/prediction-log/prediction-log.ts';
import { BLOCK_BYTES, type BlockBuffer, createBlockBuffer } from '../../src/monitoring/prediction-log/record-block.ts';
import { compileDecoder, type DecodedRecord, schemaIdOf } from '../../src/monitoring/prediction-log/record-decoder.ts';
import { compileEncoder, type RecordTail } from '../../src/monitoring/prediction-log/record-encoder.ts';
import { type DecodedRoute, packRoute } from '../../src/monitoring/prediction-log/record-route.ts';
import { MOST_RECORD_BYTES } from '../../src/monitoring/prediction-log/record-layout.ts';
import { predictionRecord, armSchema } from '../support/prediction-records.ts';
import { runs } from '../support/tier.ts';

const plain = ['bool', 'int32', 'int64', 'float32', 'float64', 'string', 'bytes', 'timestamp'] as const;
const plainType: fc.Arbitrary<DataType> = fc.constantFrom(...plain).map((kind) => ({ kind }));
const anyType: fc.Arbitrary<DataType> = fc.oneof(
  plainType,
  plainType.map((of): DataType => ({ kind: 'list', of })),
  plainType.map((of): DataType => ({ kind: 'list', of: { kind: 'list', of } })),
  fc.integer({ min: 1, max: 9 }).map((size): DataType => ({ kind: 'vector', size })),
);
// Of any code units, some of them surrogates that stand alone.
const anyText = fc.string({ unit: 'binary', maxLength: 60 });
const unpaired = fc
  .array(fc.integer({ min: 0xd7f0, max: 0xe010 }), { maxLength: 8 })
  .map((u) => String.fromCharCode(...u));

const plainValues = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float32: fc.float(),
  float64: fc.double(),
  string: fc.oneof(anyText, unpaired),
  bytes: fc.uint8Array({ maxLength: 50 }),
  timestamp: fc.maxSafeInteger(),
};
function valueOf(type: DataType): fc.Arbitrary<Value> {
  if (type.kind === 'list') return fc.array(fc.option(valueOf(type.of)), { maxLength: 5 });
  if (type.kind === 'vector') return fc.float32Array({ minLength: type.size, maxLength: type.size });
  return plainValues[type.kind];
}

const fieldsOf = (types: readonly DataType[]): Field[] => types.map((type, i) => ({ name: `f${i}`, type }));
const valuesOf = (types: readonly DataType[]): fc.Arbitrary<Value[]> =>
  fc.tuple(...types.map((type) => fc.option(valueOf(type))));

const anyName = fc.string({ unit: 'grapheme', maxLength: 200 });
const anyRoute: fc.Arbitrary<RecordRoute> = fc
  .record({
    via: fc.oneof(fc.constantFrom('forced', 'experiment', 'base', 'no_unit'), anyName),
    assigned: anyName,
    experiment: fc.option(anyName),
    phase: fc.nat(),
    revision: fc.maxSafeNat(),
    fallbackFrom: fc.option(anyName),
    unitFields: fc.constant([]),
    keepsUnitsWhole: fc.boolean(),
  })
  .map((route) => ({ ...route, phase: route.experiment === null ? null : route.phase }));
const anyRate = fc.constantFrom(1, 0.1, 1 / 3, Number.MIN_VALUE);

const tailOf = ({ route, experimentUnit }: PredictionRecord, sampleRate = 1): RecordTail => ({
  route: packRoute(route),
  experimentUnit: route?.experiment == null ? null : experimentUnit,
  sampleRate,
});

interface Case {
  readonly rate: number;
  readonly schema: ArmSchema;
  readonly records: readonly PredictionRecord[];
}

const anyCase: fc.Arbitrary<Case> = fc
  .tuple(
    fc.array(anyType, { maxLength: 10 }),
    fc.array(anyType, { maxLength: 20 }),
    fc.array(anyType, { maxLength: 4 }),
  )
  .chain(([request, features, outputs]) => {
    const schema: ArmSchema = {
      ...armSchema,
      requestFields: fieldsOf(request),
      featureFields: fieldsOf(features),
      outputFields: fieldsOf(outputs),
    };
    const status = fc.oneof(
      { weight: 8, arbitrary: fc.constant('PRESENT') },
      { weight: 2, arbitrary: fc.constantFrom('NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID') },
      { weight: 1, arbitrary: fc.string({ maxLength: 20, unit: 'grapheme-ascii' }) },
    );
    const record: fc.Arbitrary<PredictionRecord> = fc.record({
      predictionId: fc.uuid(),
      requestId: fc.string({ maxLength: 30 }),
      traceId: fc.option(fc.string({ maxLength: 32 })),
      atMicros: fc.maxSafeInteger(),
      latencyMicros: fc.nat(),
      unit: fc.array(anyText, { maxLength: 3 }),
      request: valuesOf(request),
      features: valuesOf(features),
      statuses: fc.tuple(...features.map(() => status)),
      outputs: valuesOf(outputs),
      route: fc.option(anyRoute),
      experimentUnit: fc.string({ maxLength: 30, unit: 'grapheme' }),
      unitHash: fc.constant(0),
      isCached: fc.boolean(),
    });
    return fc.record({
      rate: anyRate,
      schema: fc.constant(schema),
      records: fc.array(record, { minLength: 1, maxLength: 4 }),
    });
  });

function encode({ schema, records, rate }: Case): Buffer {
  const encoder = compileEncoder(nameSchema(schema));
  const buffer = createBlockBuffer(64 * 1024 ** 2);
  for (const record of records) expect(encoder.append(buffer, record, tailOf(record, rate))).toBeUndefined();
  return Buffer.concat([SEGMENT_HEAD, ...buffer.take().map(({ bytes, used }) => bytes.subarray(0, used))]);
}

const append = (named: NamedSchema, buffer: BlockBuffer, record: PredictionRecord): string | undefined =>
  compileEncoder(named).append(buffer, record, tailOf(record));

function framesOf(bytes: Buffer): { frames: Frame[]; damaged: [number, number][]; torn: number } {
  const frames: Frame[] = [];
  const damaged: [number, number][] = [];
  let torn = 0;
  for (const one of readFrames(bytes)) {
    if (!('unread' in one)) frames.push(one);
    else if (one.unread === 'damaged') damaged.push([one.at, one.end]);
    else torn += one.end - one.at;
  }
  return { frames, damaged, torn };
}

function decode(schema: ArmSchema, bytes: Buffer): DecodedRecord[] {
  const decoder = compileDecoder(nameSchema(schema));
  return framesOf(bytes).frames.map((frame) => decoder(bytes, frame));
}

const told = ({ unitFields: _fields, keepsUnitsWhole: _whole, ...route }: RecordRoute): DecodedRoute => route;

// What is read of a value: text as it is well-formed.
function wellFormed<T>(value: T): T {
  if (typeof value === 'string') return value.toWellFormed() as T;
  return Array.isArray(value) ? (value.map(wellFormed) as T) : value;
}

const isAltered = (value: unknown): boolean =>
  typeof value === 'string' ? !value.isWellFormed() : Array.isArray(value) && value.some(isAltered);

describe('a record', () => {
  it('is read as it was written, text as far as it is text', () => {
    fc.assert(
      fc.property(anyCase, ({ schema, records, rate }) => {
        const decoded = decode(schema, encode({ schema, records, rate }));
        expect(decoded.length).toBe(records.length);
        for (const [
          i,
          { request, features, outputs, route, experimentUnit, unitHash: _hash, ...own },
        ] of records.entries()) {
          const sections = { request, features, outputs };
          const altered = Object.entries({ unit: own.unit, request_id: own.requestId, trace_id: own.traceId })
            .filter(([, value]) => isAltered(value))
            .map(([name]) => name);
          for (const [section, values] of Object.entries(sections)) {
            values.forEach((value, at) => isAltered(value) && altered.push(`${section}.f${at}`));
          }
          expect(decoded[i]).toEqual({
            ...wellFormed({ ...own, unit: own.unit.map(wellFormed) }),
            requestId: own.requestId.toWellFormed(),
            route: route === null ? null : told(route),
            experimentUnit: route?.experiment == null ? null : experimentUnit,
            sampleRate: rate,
            values: [...request, ...features, ...outputs].map(wellFormed),
            altered: altered.length === 0 ? null : Object.fromEntries(altered.map((name) => [name, 'replaced'])),
          });
        }
      }),
      { numRuns: runs(300) },
    );
  });

  it('keeps nothing of what its memory held before', () => {
    const nulls = predictionRecord('b', { request: [null], features: [null, null, null], outputs: [null] });
    const buffer = createBlockBuffer(1);
    const encoder = compileEncoder(nameSchema(armSchema));
    const [block] = (encoder.append(buffer, nulls, tailOf(nulls)), buffer.take());
    const once = Buffer.from(block?.bytes.subarray(0, block.used) ?? []);
    block?.bytes.fill(0xff);
    if (block !== undefined) buffer.release(block);
    encoder.append(buffer, nulls, tailOf(nulls));
    const [again] = buffer.take();
    expect(again?.bytes.subarray(0, again.used).equals(once)).toBe(true);
  });

  it('is cut at its longest texts where it is too large, between characters, and says which', () => {
    const schema = nameSchema({
      ...armSchema,
      requestFields: ['a', 'b', 'c'].map((name) => ({ name, type: { kind: 'string' } })),
      featureFields: [
        { name: 'list', type: { kind: 'list', of: { kind: 'int64' } } },
        { name: 'vector', type: { kind: 'vector', size: 60_000 } },
        { name: 'bytes', type: { kind: 'bytes' } },
      ],
    });
    const given = predictionRecord('p', {
      requestId: 'r'.repeat(15_000),
      request: ['short', 'é'.repeat(200_000), '😀'.repeat(50_000)],
      features: [new Array<bigint>(100_000).fill(7n), new Float32Array(60_000), new Uint8Array(100)],
      statuses: [],
    });
    const buffer = createBlockBuffer(1);
    expect(compileEncoder(schema).append(buffer, given, tailOf(given))).toBeUndefined();
    const [block] = buffer.take();
    const bytes = Buffer.concat([SEGMENT_HEAD, block?.bytes.subarray(0, block.used) ?? Buffer.alloc(0)]);
    expect(block?.used).toBeLessThanOrEqual(MOST_RECORD_BYTES);
    expect(block?.used).toBeGreaterThan(0.5 * MOST_RECORD_BYTES);
    const [record] = framesOf(bytes).frames.map((frame) => compileDecoder(schema)(bytes, frame));
    const cut = ['request_id', 'request.b', 'request.c', 'features.list', 'features.vector'];
    expect(record?.altered).toEqual(Object.fromEntries(cut.map((name) => [name, 'cut'])));
    expect(record?.requestId).toBe('r'.repeat(128));
    const [a, b, c, list, vector, blob] = record?.values ?? [];
    expect(a).toBe('short');
    expect(b).toMatch(/^é{20000,}$/u);
    expect(c).toMatch(/^(?:😀){10000,}$/u);
    expect((list as Value[]).length).toBeGreaterThan(3000);
    expect(vector).toBeNull();
    expect(blob).toEqual(new Uint8Array(100));
  });

  it('of any size is cut to the bound, or refused where its numbers alone pass it', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 200_000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(sizes, fc.constantFrom('x', 'é', '😀', '\ud800'), (lengths, sign) => {
        const schema = nameSchema({ ...armSchema, requestFields: fieldsOf(lengths.map(() => ({ kind: 'string' }))) });
        const buffer = createBlockBuffer(1);
        const request = lengths.map((length) => sign.repeat(length));
        expect(append(schema, buffer, predictionRecord('p', { request }))).toBeUndefined();
        const [block] = buffer.take();
        expect(block?.used).toBeLessThanOrEqual(MOST_RECORD_BYTES);
        const bytes = Buffer.from(block?.bytes.subarray(0, block.used) ?? []);
        const frame = { kind: KIND.prediction, flags: bytes[9] as number, at: 0, from: 12, end: bytes.length };
        const { values } = compileDecoder(schema)(bytes, frame);
        request.forEach((text, i) => expect(text.toWellFormed().startsWith(values[i] as string)).toBe(true));
      }),
      { numRuns: runs(40) },
    );
    const wide = nameSchema({
      ...armSchema,
      featureFields: fieldsOf(Array.from({ length: 40_000 }, () => ({ kind: 'float64' }))),
    });
    const record = predictionRecord('p', { features: [], statuses: [] });
    expect(append(wide, createBlockBuffer(1), record)).toBe('too_large');
  });

  it('takes no more memory than was given', () => {
    const named = nameSchema(armSchema);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 250_000 }), { maxLength: 60 }), (lengths) => {
        const buffer = createBlockBuffer(4 * BLOCK_BYTES);
        const results = lengths.map((length) =>
          append(named, buffer, predictionRecord('p', { unit: ['x'.repeat(length)] })),
        );
        expect(buffer.heldBytes).toBeLessThanOrEqual(4 * BLOCK_BYTES);
        const blocks = buffer.take();
        const kept = blocks.reduce((sum, { records }) => sum + records, 0);
        expect(kept).toBe(results.filter((result) => result === undefined).length);
        for (const block of blocks) buffer.release(block);
        expect(buffer.heldBytes).toBe(0);
      }),
      { numRuns: runs(30) },
    );
  });
});

describe('the frames of a segment', () => {
  const small = (count: number): Case => ({
    rate: 1,
    schema: armSchema,
    records: Array.from({ length: count }, (_, i) => predictionRecord(`p${i}`)),
  });

  it('are those before a tear, at every byte', () => {
    const bytes = encode(small(3));
    const ends = framesOf(bytes).frames.map(({ end }) => end);
    for (let length = 0; length <= bytes.length; length++) {
      const { frames, damaged, torn } = framesOf(bytes.subarray(0, length));
      const whole = ends.filter((end) => end <= length);
      expect(frames.map(({ end }) => end)).toEqual(whole);
      expect(damaged).toEqual([]);
      expect(torn).toBe(length < SEGMENT_HEAD.length ? length : length - (whole.at(-1) ?? SEGMENT_HEAD.length));
    }
  });

  it('are all but the one whose bit was turned, and that one is told', () => {
    const bytes = encode(small(3));
    const { frames } = framesOf(bytes);
    for (let at = SEGMENT_HEAD.length; at < bytes.length; at++) {
      const turned = Buffer.from(bytes);
      turned[at] = (turned[at] as number) ^ (1 << (at % 8));
      const read = framesOf(turned);
      const hurt = frames.findIndex(({ end }) => at < end);
      expect(read.frames.map((frame) => frame.at)).toEqual(
        frames.filter((_, i) => i !== hurt).map((frame) => frame.at),
      );
      const { at: from, end } = frames[hurt] as Frame;
      // A length that points past the end looks like a tear, where nothing whole follows.
      if (read.torn > 0) expect([hurt, read.torn]).toEqual([frames.length - 1, end - from]);
      else expect(read.damaged).toEqual([[from, end]]);
    }
  });

  it('come whole out of any bytes around them, and nothing throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (before, after) => {
        const whole = encode(small(2));
        const bytes = Buffer.concat([SEGMENT_HEAD, before, whole.subarray(SEGMENT_HEAD.length), after]);
        const ids = framesOf(bytes).frames.map((frame) => {
          expect(schemaIdOf(bytes, frame)).toBe(nameSchema(armSchema).id);
          return compileDecoder(nameSchema(armSchema))(bytes, frame).predictionId;
        });
        expect(ids).toEqual(['p0', 'p1']);
      }),
    );
  });

  it('hold nonsense that a decoder refuses by an error, never by a crash or a hang', () => {
    fc.assert(
      fc.property(
        anyCase,
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 0, max: 15 }),
        (one, payload, flags) => {
          const bytes = Buffer.from(payload);
          const frame = { kind: KIND.prediction, flags, at: 0, from: 0, end: bytes.length };
          for (const read of [compileDecoder(nameSchema(one.schema)), readOutcome])
            try {
              read(bytes, frame);
            } catch (error) {
              expect(error).toBeInstanceOf(RangeError);
            }
        },
      ),
      { numRuns: runs(300) },
    );
  });
});

describe('an outcome', () => {
  it('is read as it was written', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    const value = fc.oneof(fc.boolean(), fc.constant(null), number, anyText, unpaired);
    fc.assert(
      fc.property(fc.string(), anyText, value, fc.maxSafeInteger(), (predictionId, endpoint, given, observedMicros) => {
        const packed = packOutcome({ predictionId, endpoint, value: given, observedMicros }, 5);
        const bytes = Buffer.concat([SEGMENT_HEAD, packed]);
        const { frames } = framesOf(bytes);
        const read = readOutcome(bytes, frames[0] as Frame);
        expect({ ...read, value: JSON.parse(read.value) }).toEqual({
          predictionId: predictionId.toWellFormed(),
          endpoint: endpoint.toWellFormed(),
          // JSON has one zero.
          value: typeof given === 'string' ? given.toWellFormed() : Object.is(given, -0) ? 0 : given,
          observedMicros,
          recordedMicros: 5,
        });
      }),
    );
  });
});

describe('a schema', () => {
  it('has one id for what says the same of records, and is read only by its own', () => {
    const fields: Field[] = [{ name: 'n', type: { kind: 'int64' }, default: 3 }];
    const named = nameSchema({ ...armSchema, featureFields: fields });
    const { default: _, ...plain } = fields[0] as Field;
    expect(nameSchema({ ...armSchema, featureFields: [plain] }).id).toBe(named.id);
    expect(nameSchema({ ...armSchema, featureFields: [plain], arm: 'other' }).id).not.toBe(named.id);
    expect(readSchema(named.id, named.text)).toEqual(named);
    expect(readSchema('0'.repeat(16), named.text)).toBeUndefined();
  });

  it('is read where the build that wrote it told less of it, or more', () => {
    const { unitFields: _, ...less } = armSchema;
    for (const written of [less, { ...armSchema, more: true }]) {
      const text = canonicalJson(written);
      const id = sha256Hex(text).slice(0, 16);
      const read = readSchema(id, text);
      expect(read).toMatchObject({ id, text, schema: less });
      expect(readSchema(id, read?.text ?? '')).toEqual(read);
    }
  });
});

describe('CRC-32C', () => {
  it('is the one of RFC 3720', () => {
    const of = (bytes: Uint8Array): string => crc32c(bytes, 0, bytes.length).toString(16);
    expect(of(Buffer.from('123456789'))).toBe('e3069283');
    expect(of(new Uint8Array(32))).toBe('8a9136aa');
    expect(of(new Uint8Array(32).fill(0xff))).toBe('62a8ab43');
    expect(of(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe('46dd794e');
  });
});
