// What a redacted column leaves in the log: nothing, in the unit neither, and nothing of another column goes with it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType, Value } from '../../src/core/index.ts';
import { nameSchema } from '../../src/monitoring/prediction-log/arm-schema.ts';
import { readFrames, SEGMENT_HEAD } from '../../src/monitoring/prediction-log/frame.ts';
import type { PredictionRecord } from '../../src/monitoring/prediction-log/prediction-log.ts';
import { createBlockBuffer } from '../../src/monitoring/prediction-log/record-block.ts';
import { compileDecoder, type DecodedRecord } from '../../src/monitoring/prediction-log/record-decoder.ts';
import { compileEncoder } from '../../src/monitoring/prediction-log/record-encoder.ts';
import { packRoute } from '../../src/monitoring/prediction-log/record-route.ts';
import { hidesUnits, redactionOf } from '../../src/monitoring/prediction-log/redaction.ts';
import { armSchema, predictionRecord } from '../support/prediction-records.ts';

interface Column {
  readonly name: string;
  readonly type: DataType;
  readonly value: Value;
  readonly isUnit: boolean;
  readonly isRedacted: boolean;
}

const few = fc.constantFrom('', 'a', 'ab', '7', 'c2VjcmV0');
const of = (kind: 'string' | 'bytes' | 'int64', value: fc.Arbitrary<Value>) =>
  fc.record({ type: fc.constant<DataType>({ kind }), value: fc.option(value) });
const bytes = fc.constantFrom(Buffer.from('secret'), Buffer.from('a'));
const anyValue = fc.oneof(of('string', few), of('bytes', bytes), of('int64', fc.constantFrom(7n, 77n)));
const anyColumns: fc.Arbitrary<readonly Column[]> = fc
  .array(fc.tuple(anyValue, fc.boolean(), fc.boolean()), { maxLength: 6 })
  .map((columns) => columns.map(([one, isUnit, isRedacted], at) => ({ ...one, name: `c${at}`, isUnit, isRedacted })));

const unitText = (value: Value): string =>
  value === null ? '' : value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);

/** The record as it is read back; it is of `columns`, whose unit is those of them that are one, last first. */
function logged(columns: readonly Column[], names: readonly string[], more: Partial<PredictionRecord> = {}) {
  const unit = columns.filter(({ isUnit }) => isUnit).toReversed();
  const named = nameSchema({ ...armSchema, requestFields: columns, unitFields: unit.map(({ name }) => name) });
  const record = predictionRecord('p', {
    request: columns.map(({ value }) => value),
    unit: unit.map(({ value }) => unitText(value)),
    ...more,
  });
  const buffer = createBlockBuffer(1);
  const tail = { route: packRoute(null), experimentUnit: null, sampleRate: 1 };
  expect(compileEncoder(named, redactionOf(named, names)).append(buffer, record, tail)).toBeUndefined();
  const bytes = Buffer.concat([SEGMENT_HEAD, ...buffer.take().map((block) => block.bytes.subarray(0, block.used))]);
  const [frame] = readFrames(bytes);
  if (frame === undefined || 'unread' in frame) throw new Error('the record is not whole');
  return { record, read: compileDecoder(named)(bytes, frame) };
}

const alteredBy = ({ altered }: DecodedRecord): readonly string[] => Object.keys(altered ?? {}).sort();

describe('a redacted column', () => {
  it('leaves its place in the unit empty, and no other', () => {
    fc.assert(
      fc.property(anyColumns, fc.boolean(), (columns, ofEndpoint) => {
        const names = columns.flatMap(({ name, isRedacted }) =>
          isRedacted ? [ofEndpoint ? `${armSchema.endpoint}.${name}` : name] : [],
        );
        const { read } = logged(columns, names);
        const unit = columns.filter(({ isUnit }) => isUnit).toReversed();
        expect(read.unit).toEqual(unit.map(({ value, isRedacted }) => (isRedacted ? '' : unitText(value))));
        expect(read.values.slice(0, columns.length)).toEqual(
          columns.map(({ value, isRedacted }) =>
            isRedacted ? null : value instanceof Uint8Array ? new Uint8Array(value) : value,
          ),
        );
        const redacted = columns.filter(({ isRedacted }) => isRedacted);
        const altered = redacted.map(({ name }) => `request.${name}`);
        if (redacted.some(({ isUnit }) => isUnit)) altered.push('unit');
        expect(alteredBy(read)).toEqual(altered.sort());
      }),
    );
  });

  it('is hidden in a record that is too large, too', () => {
    const secret = Buffer.alloc(300_000, 'secret');
    const column = { isUnit: true, isRedacted: true, name: 'who' } as const;
    const { read } = logged([{ ...column, type: { kind: 'bytes' }, value: secret }], ['who']);
    expect([read.unit, read.values[0]]).toEqual([[''], null]);
  });

  it('may be a column of the unit alone', () => {
    const named = nameSchema({ ...armSchema, requestFields: [], unitFields: ['who', 'where'] });
    expect(redactionOf(named, ['where'])).toMatchObject({ places: [], unitPlaces: [1] });
    expect(redactionOf(named, ['other.where'])).toMatchObject({ places: [], unitPlaces: [] });
  });
});

describe('the name unit', () => {
  it('empties all of it', () => {
    const text = { type: { kind: 'string' }, isUnit: true, isRedacted: false } as const;
    const columns = ['a', 'b'].map((name) => ({ ...text, name, value: name }));
    const { read, record } = logged(columns, ['unit']);
    expect(record.unit).toEqual(['b', 'a']);
    expect([read.unit, read.values.slice(0, 2), read.altered]).toEqual([['', ''], ['a', 'b'], { unit: 'redacted' }]);
    expect(logged([], ['unit']).read.altered).toBeNull();
  });
});

it.each([
  ['rider', true],
  ['fares.rider', true],
  ['unit', true],
  ['fares.unit', true],
  ['driver', false],
  ['others.rider', false],
  ['others.unit', false],
])('the name %s hides a column of the unit: %s', (name, hides) => {
  expect(hidesUnits('fares', 'rider', [name])).toBe(hides);
});
