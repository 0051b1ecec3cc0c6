// Answers in Feast's form: the same text as the naive construction, and rows of entities as they are sent by columns.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DataType,
  type ErrorDetail,
  type Field,
  formatTimestamp,
  HeadraceError,
  type Json,
  type Micros,
  stringifyJson,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import type { ResolvedService, ServiceRead } from '../../src/definitions/index.ts';
import { STATUSES } from '../../src/online/index.ts';
import { entityRows } from '../../src/serving/feast/entity-rows.ts';
import { writeOnlineFeatures } from '../../src/serving/feast/write-online-features.ts';
import type { FeaturesRead } from '../../src/serving/features/read-features.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';
import { runs } from '../support/tier.ts';

const SINGLE: DataType = { kind: 'float32' };
const TYPES: readonly (readonly [DataType, fc.Arbitrary<Value>])[] = [
  [{ kind: 'bool' }, fc.boolean()],
  [{ kind: 'int32' }, fc.integer()],
  [{ kind: 'int64' }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  [{ kind: 'float64' }, fc.oneof(fc.double(), fc.integer(), fc.constantFrom(1e20, 1e21, -1e300, 0.5))],
  [SINGLE, fc.float()],
  [{ kind: 'string' }, fc.string({ unit: 'binary' })],
  [{ kind: 'bytes' }, fc.uint8Array({ maxLength: 5 })],
  [{ kind: 'timestamp' }, fc.maxSafeInteger()],
  [{ kind: 'vector', size: 2 }, fc.tuple(fc.float(), fc.float()).map((two) => Float32Array.from(two))],
  [{ kind: 'list', of: { kind: 'float64' } }, fc.array(fc.option(fc.double()), { maxLength: 3 })],
  [{ kind: 'list', of: { kind: 'timestamp' } }, fc.array(fc.maxSafeInteger(), { maxLength: 3 })],
  [
    { kind: 'list', of: { kind: 'list', of: { kind: 'int64' } } },
    fc.array(fc.array(fc.bigInt({ min: -5n, max: 2n ** 60n }), { maxLength: 2 }), { maxLength: 2 }),
  ],
];
const READS = 2;
const typed = fc.nat({ max: TYPES.length - 1 });
const typeOf = (at: number): DataType => (TYPES[at] as (typeof TYPES)[number])[0];
const valueOf = (at: number): fc.Arbitrary<Value> => (TYPES[at] as (typeof TYPES)[number])[1];

interface Shape {
  readonly read: FeaturesRead;
  readonly rows: readonly {
    readonly keys: readonly Value[];
    readonly values: readonly Value[];
    readonly codes: readonly number[];
    readonly times: readonly (Micros | null)[];
  }[];
}

const shape: fc.Arbitrary<Shape> = fc
  .record({
    keys: fc.array(typed, { maxLength: 2 }),
    features: fc.array(fc.record({ type: typed, read: fc.integer({ min: -1, max: READS - 1 }) }), { maxLength: 6 }),
  })
  .chain(({ keys, features }) => {
    const row = fc.record({
      keys: fc.tuple(...keys.map((type) => fc.option(valueOf(type)))),
      values: fc.tuple(...features.map(({ type }) => fc.option(valueOf(type)))),
      codes: fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 4 })), {
        minLength: features.length,
        maxLength: features.length,
      }),
      times: fc.array(fc.option(fc.maxSafeInteger()), { minLength: READS, maxLength: READS }),
    });
    const keyFields = keys.map((type, at) => ({ name: `k${at}`, type: typeOf(type) }));
    const service: ResolvedService = {
      name: 's',
      // One that no view is read by: not a join key.
      requestColumns: [{ name: 'request', type: { kind: 'bool' } }, ...keyFields],
      // The writer looks at no more of a read.
      reads: Array.from(
        { length: READS },
        () => ({ keyColumns: keyFields.map(({ name }) => name) }) as unknown as ServiceRead,
      ),
      onDemand: [],
      features: features.map(({ type, read }, at) => ({
        name: `view__f${at}`,
        type: typeOf(type),
        from: read < 0 ? { kind: 'onDemand', transform: 0, feature: at } : { kind: 'read', read, feature: at },
      })),
    };
    return fc.array(row, { maxLength: 4 }).map((rows) => ({
      rows,
      read: {
        service,
        rows: rows.map((one) => [true, ...one.keys]),
        source: {
          rows: rows.length,
          give(place, at, sink) {
            const value = rows[place]?.values[at] ?? null;
            if (value === null) sink.none();
            else sink.value((service.features[at] as Field).type, value);
            return rows[place]?.codes[at] ?? 0;
          },
          eventMicros: (place, at) => rows[place]?.times[at] ?? null,
        },
        toJson: () => Buffer.alloc(0),
      },
    }));
  });

const EPOCH = '1970-01-01T00:00:00Z';

/** A float has a point or an exponent, a time is in seconds. */
function naiveValue(type: DataType, value: Value): string {
  if (value === null) return 'null';
  if (type.kind === 'timestamp') return String(Math.floor((value as number) / 1e6));
  if (type.kind === 'list') return `[${(value as Value[]).map((one) => naiveValue(type.of, one)).join(',')}]`;
  if (type.kind === 'vector')
    return `[${Array.from(value as Float32Array, (one) => naiveValue(SINGLE, one)).join(',')}]`;
  const json = toJson(type, value);
  const isFloat = type.kind === 'float32' || type.kind === 'float64';
  return isFloat && typeof json === 'number' && /^-?\d+$/.test(String(json)) ? `${json}.0` : stringifyJson(json);
}

function naive({ read: { service }, rows }: Shape, isFull: boolean): string {
  const keys = service.requestColumns.slice(1);
  const names = [
    ...keys.map(({ name }) => name),
    ...service.features.map(({ name }) => (isFull ? name : name.replace('view__', ''))),
  ];
  const column = (values: string[], statuses: string[], times: string[]): string =>
    `{"values":[${values.join(',')}],"statuses":${JSON.stringify(statuses)},"event_timestamps":${JSON.stringify(times)}}`;
  const results = [
    ...keys.map(({ type }, at) =>
      column(
        rows.map((row) => naiveValue(type, row.keys[at] ?? null)),
        rows.map((row) => ((row.keys[at] ?? null) === null ? 'NULL_VALUE' : 'PRESENT')),
        rows.map(() => EPOCH),
      ),
    ),
    ...service.features.map(({ type, from }, at) =>
      column(
        rows.map((row) => naiveValue(type, row.values[at] ?? null)),
        rows.map((row) => STATUSES[row.codes[at] as number] as string),
        rows.map((row) => {
          const micros = from.kind === 'read' ? (row.times[from.read] ?? null) : null;
          return micros === null ? EPOCH : formatTimestamp(micros);
        }),
      ),
    ),
  ];
  return `{"metadata":{"feature_names":${JSON.stringify(names)}},"results":[${results.join(',')}]}`;
}

describe('an answer in Feast’s form', () => {
  it('is the text of the naive construction', () => {
    fc.assert(
      fc.property(shape, fc.boolean(), (one, isFull) => {
        expect(writeOnlineFeatures(one.read, isFull).bytes.toString()).toBe(naive(one, isFull));
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('entities by columns', () => {
  const fields: readonly Field[] = [
    { name: 'id', type: { kind: 'int64' } },
    { name: 'city', type: { kind: 'string' } },
    { name: 'price', type: { kind: 'float64' }, isOptional: true },
    { name: 'days', type: { kind: 'list', of: { kind: 'int32' } } },
  ];
  const parseRow = compileRowParser(fields, 'rows');
  const cell = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<Json>(1, -2, '3', 'x', 9007199254740993n, [1], []) },
    fc.constantFrom<Json>(null, 1.5, true, '\ud800', [null, 'a'], {}, 2n ** 70n),
  );

  it('are the rows that JSON’s would be, or mistakes in the same places', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell, cell), { minLength: 1, maxLength: 3 }), (table) => {
        const sent = entityRows(Object.fromEntries(fields.map(({ name }, at) => [name, table.map((row) => row[at])])));
        const mistakes: ErrorDetail[] = [];
        const parse = sent.parser(fields, 'rows');
        const rows = table.map((_, place) => parse(place, mistakes));
        const expected: ErrorDetail[] = [];
        const rowsOfJson = table.map((row, place) =>
          parseRow(Object.fromEntries(fields.map(({ name }, at) => [name, row[at]])), place, expected),
        );
        const asColumns = expected.map(({ path, message }) => ({
          path: path.replace(/^rows(\[\d+\])\.(\w+)$/, 'entities.$2$1'),
          message,
        }));
        expect(sent.count).toBe(table.length);
        expect(mistakes).toEqual(asColumns);
        if (mistakes.length === 0) expect(rows).toEqual(rowsOfJson);
      }),
      { numRuns: runs(500) },
    );
  });

  it('that are anything else are refused', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true }), (json) => {
        try {
          const sent = entityRows(json);
          sent.parser(fields, 'rows');
        } catch (thrown) {
          if (!(thrown instanceof HeadraceError)) throw thrown;
          expect(thrown.code).toBe('HR_INVALID');
        }
      }),
      { numRuns: runs(1000) },
    );
  });
});
