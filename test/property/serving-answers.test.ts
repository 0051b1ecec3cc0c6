// Features as answers, held against a naive construction: as JSON by rows and by columns, in Feast's form, as Arrow.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DataType,
  formatTimestamp,
  type Micros,
  stringifyJson,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import type { ResolvedService, ServiceRead } from '../../src/definitions/index.ts';
import { STATUSES } from '../../src/online/index.ts';
import { writeFeatures } from '../../src/serving/arrow/index.ts';
import { writeOnlineFeatures } from '../../src/serving/feast/write-online-features.ts';
import { compileAnswerWriter, type FeatureSource, viewTimes } from '../../src/serving/features/answer-writer.ts';
import { columnsOf } from '../support/arrow-tables.ts';
import { runs } from '../support/tier.ts';
import { listOf, TYPES, valueOf } from '../support/typed-values.ts';

const READS = 3;
const EPOCH = '1970-01-01T00:00:00Z';

type Feature = ResolvedService['features'][number];
/** By feature, by key and by read. */
interface Row {
  readonly keys: readonly Value[];
  readonly values: readonly Value[];
  readonly codes: readonly number[];
  readonly times: readonly (Micros | null)[];
}
interface Shape {
  readonly service: ResolvedService;
  readonly rows: readonly Row[];
}

const nullable = (types: readonly DataType[]) => fc.tuple(...types.map((type) => fc.option(valueOf(type))));
/** Each role is of one read, or of none, as an on-demand view is. */
const shapeOf = (types: readonly DataType[]): fc.Arbitrary<Shape> => {
  const type = fc.constantFrom(...types);
  const role = fc.constantFrom('a', 'b"', 'é', 'd');
  const feature = fc.record({ role, read: fc.integer({ min: -1, max: READS - 1 }), type });
  return fc.tuple(fc.array(type, { maxLength: 2 }), fc.array(feature, { maxLength: 8 })).chain(([keys, given]) => {
    const readOf = new Map<string, number>();
    for (const { role, read } of given) if (!readOf.has(role)) readOf.set(role, read);
    const features = given.map(({ role, type }, at): Feature => {
      const read = readOf.get(role) as number;
      const from = read < 0 ? { kind: 'onDemand' as const, transform: 0 } : { kind: 'read' as const, read };
      return { name: `${role}__f${at}`, type, from: { ...from, feature: at } };
    });
    const keyFields = keys.map((type, at) => ({ name: `k${at}`, type }));
    // The writers look at no more of a read.
    const read = { keyColumns: keyFields.map(({ name }) => name) } as unknown as ServiceRead;
    const service: ResolvedService = {
      name: 's',
      // One that no view is read by: not a join key.
      requestColumns: [{ name: 'request', type: { kind: 'bool' } }, ...keyFields],
      reads: Array.from({ length: READS }, () => read),
      onDemand: [],
      features,
    };
    const [minLength, maxLength] = [features.length, features.length];
    const row = fc.record({
      keys: nullable(keys),
      values: nullable(features.map(({ type }) => type)),
      codes: fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 4 })), { minLength, maxLength }),
      times: fc.array(fc.option(fc.maxSafeInteger()), { minLength: READS, maxLength: READS }),
    });
    return fc.record({ service: fc.constant(service), rows: fc.array(row, { maxLength: 20 }) });
  });
};

const sourceOf = ({ service, rows }: Shape): FeatureSource => ({
  rows: rows.length,
  give(place, at, sink) {
    const { values, codes } = rows[place] as Row;
    // A null comes either way.
    if (values[at] === null && place % 2 === 0) sink.none();
    else sink.value((service.features[at] as Feature).type, values[at] ?? null);
    return codes[at] as number;
  },
  eventMicros: (place, read) => rows[place]?.times[read] ?? null,
});
const timeOf = ({ from }: Feature, { times }: Row): Micros | null =>
  from.kind === 'read' ? (times[from.read] ?? null) : null;
const statusOf = ({ codes }: Row, at: number): string => STATUSES[codes[at] as number] as string;
const timeText = (micros: Micros | null | undefined) => (micros == null ? null : formatTimestamp(micros));

function naiveRows({ service: { features }, rows }: Shape, times: ReturnType<typeof viewTimes>): unknown {
  const answered = rows.map((row) => ({
    features: Object.fromEntries(features.map(({ name, type }, at) => [name, toJson(type, row.values[at] ?? null)])),
    statuses: Object.fromEntries(
      features.flatMap(({ name }, at) => (row.codes[at] === 0 ? [] : [[name, statusOf(row, at)]])),
    ),
    event_times: Object.fromEntries(times.map(({ role, read }) => [role, timeText(row.times[read])])),
  }));
  return { rows: answered };
}

function naiveColumns({ service: { features }, rows }: Shape, times: ReturnType<typeof viewTimes>): unknown {
  const lacking = features
    .map(({ name }, at) => ({ name, at }))
    .filter(({ at }) => rows.some(({ codes }) => codes[at]));
  return {
    features: Object.fromEntries(
      features.map(({ name, type }, at) => [name, rows.map(({ values }) => toJson(type, values[at] ?? null))]),
    ),
    statuses: Object.fromEntries(lacking.map(({ name, at }) => [name, rows.map((row) => statusOf(row, at))])),
    event_times: Object.fromEntries(
      times.map(({ role, read }) => [role, rows.map((row) => timeText(row.times[read]))]),
    ),
  };
}

/** A float has a point or an exponent, a time is in seconds. */
function feastValue(type: DataType, value: Value): string {
  if (value === null) return 'null';
  if (type.kind === 'timestamp') return String(Math.floor((value as number) / 1e6));
  if (type.kind === 'list') return `[${(value as Value[]).map((one) => feastValue(type.of, one)).join(',')}]`;
  if (type.kind === 'vector')
    return `[${Array.from(value as Float32Array, (one) => feastValue({ kind: 'float32' }, one)).join(',')}]`;
  const json = toJson(type, value);
  const isWholeFloat = type.kind.startsWith('float') && typeof json === 'number' && /^-?\d+$/.test(String(json));
  return isWholeFloat ? `${json}.0` : stringifyJson(json);
}

function naiveFeast({ service: { requestColumns, features }, rows }: Shape, isFull: boolean): string {
  const keys = requestColumns.slice(1);
  const names = [...keys, ...features].map(({ name }) => (isFull ? name : name.replace(/^.*__/, '')));
  const column = (values: string[], statuses: string[], times: string[]): string =>
    `{"values":[${values.join(',')}],"statuses":${JSON.stringify(statuses)},"event_timestamps":${JSON.stringify(times)}}`;
  const results = [
    ...keys.map(({ type }, at) =>
      column(
        rows.map((row) => feastValue(type, row.keys[at] ?? null)),
        rows.map((row) => (row.keys[at] === null ? 'NULL_VALUE' : 'PRESENT')),
        rows.map(() => EPOCH),
      ),
    ),
    ...features.map((one, at) =>
      column(
        rows.map((row) => feastValue(one.type, row.values[at] ?? null)),
        rows.map((row) => statusOf(row, at)),
        rows.map((row) => timeText(timeOf(one, row)) ?? EPOCH),
      ),
    ),
  ];
  return `{"metadata":{"feature_names":${JSON.stringify(names)}},"results":[${results.join(',')}]}`;
}

describe('answers', () => {
  const holds = (check: (one: Shape, isSo: boolean, isSoToo: boolean) => void, types = TYPES) =>
    fc.assert(fc.property(shapeOf(types), fc.boolean(), fc.boolean(), check), { numRuns: runs(500) });

  it('are the text of the naive construction, by rows and by columns', () =>
    holds((one) => {
      const write = compileAnswerWriter(one.service);
      const times = viewTimes(one.service);
      expect(write(sourceOf(one), 'rows').toString()).toBe(stringifyJson(naiveRows(one, times)));
      expect(write(sourceOf(one), 'columns').toString()).toBe(stringifyJson(naiveColumns(one, times)));
    }));

  it('are the text of the naive construction in Feast’s form', () =>
    holds(
      (one, isFull) => {
        const rows = one.rows.map(({ keys }) => [true, ...keys]);
        const read = { service: one.service, rows, source: sourceOf(one), toJson: () => Buffer.alloc(0) };
        expect(writeOnlineFeatures(read, isFull).bytes.toString()).toBe(naiveFeast(one, isFull));
      },
      [...TYPES, listOf({ kind: 'timestamp' })],
    ));

  it('are what was read as Arrow, whatever was asked for beside it', () =>
    holds((one, hasStatuses, hasEventTimes) => {
      const { service, rows } = one;
      const { features } = service;
      // The other's reader takes no stream without columns.
      fc.pre(features.length > 0);
      const stream = writeFeatures({ service, source: sourceOf(one) }, { hasStatuses, hasEventTimes });
      const types = Object.fromEntries<DataType>([
        ...features.map(({ name, type }) => [name, type] as const),
        ...features.map(({ name }) => [`${name}__event_time`, { kind: 'timestamp' }] as const),
      ]);
      const statuses = features.map(
        ({ name }, at) => [`${name}__status`, rows.map((row) => statusOf(row, at))] as const,
      );
      const times = features.map((of) => [`${of.name}__event_time`, rows.map((row) => timeOf(of, row))] as const);
      const expected = [
        ...features.map(({ name }, at) => [name, rows.map(({ values }) => values[at])] as const),
        ...(hasStatuses ? statuses : []),
        ...(hasEventTimes ? times : []),
      ];
      const found = columnsOf(stream, types);
      expect(Object.keys(found)).toEqual(expected.map(([name]) => name));
      expect(found).toEqual(Object.fromEntries(expected));
    }));
});

describe('an answer that fails half-way', () => {
  const serviceOf = (...kinds: readonly ('string' | 'bool' | 'int32' | 'float64')[]): ResolvedService => {
    const from = { kind: 'read', read: 0 } as const;
    const features = kinds.map((kind, at) => ({ name: `v__${kind}`, type: { kind }, from: { ...from, feature: at } }));
    return { name: 's', requestColumns: [], reads: [], onDemand: [], features };
  };
  const breaks = (): never => {
    throw new RangeError('broken');
  };

  it('leaves nothing in the next one', () => {
    const write = compileAnswerWriter(serviceOf('bool'));
    const broken: FeatureSource = { rows: 1, give: breaks, eventMicros: () => null };
    expect(() => write(broken, 'rows')).toThrow('broken');
    const none = '{"features":{"v__bool":[]},"statuses":{},"event_times":{"v":[]}}';
    expect(write({ ...broken, rows: 0 }, 'columns').toString()).toBe(none);
  });

  it('leaves nothing in the next one as Arrow, and none has bytes of another', () => {
    const service = serviceOf('string', 'bool', 'int32', 'float64');
    const secret = Buffer.from('secret'.repeat(50));
    const form = { hasStatuses: true, hasEventTimes: true };
    const answer = (rows: number, give: FeatureSource['give']): Buffer =>
      writeFeatures({ service, source: { rows, give, eventMicros: () => null } }, form);
    answer(40, (_row, _feature, sink) => {
      sink.text(secret, 0, secret.length);
      return 0;
    });
    expect(() => answer(3, breaks)).toThrow('broken');
    for (const rows of [0, 1, 7, 8, 9]) {
      const bytes = answer(rows, (_row, _feature, sink) => {
        sink.none();
        return 2;
      });
      for (let at = 0; at + 3 <= secret.length; at++)
        if (bytes.includes(secret.subarray(at, at + 3))) throw new Error(`${rows} rows have what another answer had`);
    }
  });
});
