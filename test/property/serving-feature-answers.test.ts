// Answers of a features read: the same text as the naive construction, by rows and by columns.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type DataType,
  formatTimestamp,
  type Micros,
  stringifyJson,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import type { ResolvedService } from '../../src/definitions/index.ts';
import { STATUSES } from '../../src/online/index.ts';
import { compileAnswerWriter, type FeatureSource, viewTimes } from '../../src/serving/features/answer-writer.ts';
import { runs } from '../support/tier.ts';

interface Shape {
  readonly service: ResolvedService;
  /** By row: values by feature, codes of statuses by feature, times by read. */
  readonly rows: readonly {
    readonly values: readonly Value[];
    readonly codes: readonly number[];
    readonly times: readonly (Micros | null)[];
  }[];
}

const TYPES: readonly (readonly [DataType, fc.Arbitrary<Value>])[] = [
  [{ kind: 'float64' }, fc.double()],
  [{ kind: 'int64' }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  [{ kind: 'string' }, fc.string({ unit: 'binary' })],
  [{ kind: 'bool' }, fc.boolean()],
  [{ kind: 'list', of: { kind: 'float64' } }, fc.array(fc.option(fc.double()), { maxLength: 3 })],
];
const READS = 3;

/** A feature: its role and the read under it, or none for an on-demand view; its type. */
const feature = fc.record({
  role: fc.constantFrom('a', 'b"', 'é', 'd'),
  read: fc.integer({ min: -1, max: READS - 1 }),
  type: fc.integer({ min: 0, max: TYPES.length - 1 }),
});
const shape: fc.Arbitrary<Shape> = fc.array(feature, { maxLength: 8 }).chain((features) => {
  const readOf = new Map<string, number>();
  for (const { role, read } of features) if (!readOf.has(role)) readOf.set(role, read);
  const row = fc.record({
    values: fc.tuple(...features.map(({ type }) => fc.option((TYPES[type] as (typeof TYPES)[number])[1]))),
    present: fc.array(fc.boolean(), { minLength: features.length, maxLength: features.length }),
    codes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: features.length, maxLength: features.length }),
    times: fc.array(fc.option(fc.maxSafeInteger()), { minLength: READS, maxLength: READS }),
  });
  const service = {
    name: 's',
    requestColumns: [],
    reads: [],
    onDemand: [],
    features: features.map(({ role, type }, at) => {
      const read = readOf.get(role) as number;
      const from =
        read < 0
          ? { kind: 'onDemand' as const, transform: 0, feature: at }
          : { kind: 'read' as const, read, feature: at };
      return { name: `${role}__f${at}`, type: (TYPES[type] as (typeof TYPES)[number])[0], from };
    }),
  };
  return fc.record({
    service: fc.constant(service),
    rows: fc
      .array(row, { maxLength: 5 })
      .map((rows) => rows.map((one) => ({ ...one, codes: one.codes.map((code, at) => (one.present[at] ? 0 : code)) }))),
  });
});

const sourceOf = ({ service, rows }: Shape): FeatureSource => ({
  rows: rows.length,
  give(row, at, sink) {
    sink.value((service.features[at] as { type: DataType }).type, rows[row]?.values[at] ?? null);
    return rows[row]?.codes[at] ?? 0;
  },
  eventMicros: (row, read) => rows[row]?.times[read] ?? null,
});
const timeText = (micros: Micros | null | undefined) => (micros == null ? null : formatTimestamp(micros));

function naiveRows({ service, rows }: Shape): unknown {
  const answered = rows.map(({ values, codes, times }) => ({
    features: Object.fromEntries(
      service.features.map(({ name, type }, at) => [name, toJson(type, values[at] ?? null)]),
    ),
    statuses: Object.fromEntries(
      service.features.flatMap(({ name }, at) => (codes[at] === 0 ? [] : [[name, STATUSES[codes[at] as number]]])),
    ),
    event_times: Object.fromEntries(viewTimes(service).map(({ role, read }) => [role, timeText(times[read])])),
  }));
  return { rows: answered };
}

function naiveColumns({ service, rows }: Shape): unknown {
  return {
    features: Object.fromEntries(
      service.features.map(({ name, type }, at) => [name, rows.map(({ values }) => toJson(type, values[at] ?? null))]),
    ),
    statuses: Object.fromEntries(
      service.features.flatMap(({ name }, at) =>
        rows.every(({ codes }) => codes[at] === 0)
          ? []
          : [[name, rows.map(({ codes }) => STATUSES[codes[at] as number])]],
      ),
    ),
    event_times: Object.fromEntries(
      viewTimes(service).map(({ role, read }) => [role, rows.map(({ times }) => timeText(times[read]))]),
    ),
  };
}

it('are the text of the naive construction, in both layouts', () => {
  fc.assert(
    fc.property(shape, (one) => {
      const write = compileAnswerWriter(one.service);
      expect(write(sourceOf(one), 'rows').toString()).toBe(stringifyJson(naiveRows(one)));
      expect(write(sourceOf(one), 'columns').toString()).toBe(stringifyJson(naiveColumns(one)));
    }),
    { numRuns: runs(500) },
  );
});

it('that fail half-way leave nothing in the next one', () => {
  const service: ResolvedService = {
    name: 's',
    requestColumns: [],
    reads: [],
    onDemand: [],
    features: [{ name: 'a__f', type: { kind: 'bool' }, from: { kind: 'read', read: 0, feature: 0 } }],
  };
  const write = compileAnswerWriter(service);
  const broken: FeatureSource = {
    rows: 1,
    give() {
      throw new RangeError('broken');
    },
    eventMicros: () => null,
  };
  expect(() => write(broken, 'rows')).toThrow('broken');
  expect(write({ ...broken, rows: 0 }, 'columns').toString()).toBe(
    '{"features":{"a__f":[]},"statuses":{},"event_times":{"a":[]}}',
  );
});
