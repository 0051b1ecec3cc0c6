// Features as Arrow: what another's reader finds in the stream are the values, statuses and times that were read, of every
// type, and nothing of an answer before.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { DataType, Micros, Value } from '../../src/core/index.ts';
import type { ResolvedService } from '../../src/definitions/index.ts';
import { STATUSES } from '../../src/online/index.ts';
import { writeFeatures } from '../../src/serving/arrow/index.ts';
import type { FeatureSource } from '../../src/serving/features/answer-writer.ts';
import { columnsOf } from '../support/arrow-tables.ts';
import { runs } from '../support/tier.ts';

const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ minLength: 30, maxLength: 60 }));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const single = fc.double().map(Math.fround);
const TYPES: readonly (readonly [DataType, fc.Arbitrary<Value>])[] = [
  [{ kind: 'bool' }, fc.boolean()],
  [{ kind: 'int32' }, fc.integer()],
  [{ kind: 'int64' }, int64],
  [{ kind: 'float32' }, single],
  [{ kind: 'float64' }, fc.double()],
  [{ kind: 'string' }, text],
  [{ kind: 'bytes' }, fc.uint8Array({ maxLength: 40 })],
  [{ kind: 'timestamp' }, fc.maxSafeInteger()],
  [{ kind: 'vector', size: 2 }, fc.tuple(single, single).map((items) => Float32Array.from(items))],
  [{ kind: 'list', of: { kind: 'string' } }, fc.array(fc.option(text), { maxLength: 3 })],
  [{ kind: 'list', of: { kind: 'bool' } }, fc.array(fc.option(fc.boolean()), { maxLength: 20 })],
  [
    { kind: 'list', of: { kind: 'list', of: { kind: 'int64' } } },
    fc.array(fc.option(fc.array(fc.option(int64), { maxLength: 3 })), { maxLength: 3 }),
  ],
];
const READS = 2;

const shape = fc
  .array(fc.record({ type: fc.nat({ max: TYPES.length - 1 }), read: fc.integer({ min: -1, max: READS - 1 }) }), {
    minLength: 1,
    maxLength: 6,
  })
  .chain((features) =>
    fc.record({
      features: fc.constant(features),
      rows: fc.array(
        fc.record({
          values: fc.tuple(...features.map(({ type }) => fc.option((TYPES[type] as (typeof TYPES)[number])[1]))),
          codes: fc.array(fc.nat({ max: 4 }), { minLength: features.length, maxLength: features.length }),
          times: fc.array(fc.option(fc.maxSafeInteger()), { minLength: READS, maxLength: READS }),
        }),
        { maxLength: 20 },
      ),
      hasStatuses: fc.boolean(),
      hasEventTimes: fc.boolean(),
    }),
  );

it('are what was read, whatever was asked for beside it', () => {
  fc.assert(
    fc.property(shape, ({ features, rows, hasStatuses, hasEventTimes }) => {
      const typed = features.map(({ type, read }, at): ResolvedService['features'][number] => ({
        name: `v${read + 1}__f${at}`,
        type: (TYPES[type] as (typeof TYPES)[number])[0],
        from: read < 0 ? { kind: 'onDemand', transform: 0, feature: at } : { kind: 'read', read, feature: at },
      }));
      const service: ResolvedService = { name: 's', requestColumns: [], reads: [], onDemand: [], features: typed };
      const source: FeatureSource = {
        rows: rows.length,
        give(row, at, sink) {
          sink.value(typed[at]?.type as DataType, rows[row]?.values[at] ?? null);
          return rows[row]?.codes[at] ?? 0;
        },
        eventMicros: (row, read) => rows[row]?.times[read] ?? null,
      };
      const stream = writeFeatures({ service, source }, { hasStatuses, hasEventTimes });
      const types = Object.fromEntries([
        ...typed.map(({ name, type }) => [name, type] as const),
        ...typed.map(({ name }) => [`${name}__event_time`, { kind: 'timestamp' }] as const),
      ]);
      const timeOf = (at: number, times: readonly (Micros | null)[]): Micros | null =>
        (features[at]?.read ?? -1) < 0 ? null : (times[features[at]?.read ?? 0] ?? null);
      const expected = [
        ...typed.map(({ name }, at) => [name, rows.map(({ values }) => values[at] ?? null)] as const),
        ...(hasStatuses
          ? typed.map(({ name }, at) => [`${name}__status`, rows.map(({ codes }) => STATUSES[codes[at] ?? 0])] as const)
          : []),
        ...(hasEventTimes
          ? typed.map(({ name }, at) => [`${name}__event_time`, rows.map(({ times }) => timeOf(at, times))] as const)
          : []),
      ];
      const found = columnsOf(stream, types);
      expect(Object.keys(found)).toEqual(expected.map(([name]) => name));
      expect(found).toEqual(Object.fromEntries(expected));
    }),
    { numRuns: runs(300) },
  );
});

it('that fail half-way leave nothing in the next one, and no answer has bytes of another', () => {
  const service: ResolvedService = {
    name: 's',
    requestColumns: [],
    reads: [],
    onDemand: [],
    features: (['string', 'bool', 'int32', 'float64'] as const).map((kind, feature) => ({
      name: `v__${kind}`,
      type: { kind },
      from: { kind: 'read', read: 0, feature },
    })),
  };
  const secret = Buffer.from('secret'.repeat(50));
  const answer = (rows: number, give: FeatureSource['give']): Buffer =>
    writeFeatures(
      { service, source: { rows, give, eventMicros: () => null } },
      { hasStatuses: true, hasEventTimes: true },
    );
  answer(40, (_row, _feature, sink) => {
    sink.text(secret, 0, secret.length);
    return 0;
  });
  expect(() =>
    answer(3, () => {
      throw new RangeError('broken');
    }),
  ).toThrow('broken');
  for (const rows of [0, 1, 7, 8, 9]) {
    const bytes = answer(rows, (_row, _feature, sink) => {
      sink.none();
      return 2;
    });
    for (let at = 0; at + 3 <= secret.length; at++)
      if (bytes.includes(secret.subarray(at, at + 3))) throw new Error(`${rows} rows have what another answer had`);
  }
});
