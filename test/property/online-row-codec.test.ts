// Packed rows: what goes in comes out, and a row of one schema is never taken for a row of another.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType } from '../../src/core/index.ts';
import { ByteWriter } from '../../src/online/records/bytes.ts';
import {
  compileRowCodec,
  isRowDeleted,
  type PackedRow,
  rowEvent,
  rowFingerprint,
  rowKnown,
} from '../../src/online/records/row-codec.ts';
import {
  describeSchema,
  mapColumns,
  parseSchema,
  rowSchema,
  type SchemaColumn,
} from '../../src/online/records/row-schema.ts';
import { anyValue } from '../support/any-value.ts';
import { runs } from '../support/tier.ts';

const scalar = fc.constantFrom<DataType>(
  ...(['bool', 'int32', 'int64', 'float32', 'float64', 'string', 'bytes', 'timestamp'] as const).map((kind) => ({
    kind,
  })),
  { kind: 'vector', size: 3 },
);
const dataType: fc.Arbitrary<DataType> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  { weight: 1, arbitrary: scalar.map((of): DataType => ({ kind: 'list', of })) },
  { weight: 1, arbitrary: scalar.map((of): DataType => ({ kind: 'list', of: { kind: 'list', of } })) },
);

interface Written {
  readonly columns: readonly SchemaColumn[];
  readonly row: PackedRow;
}

const written: fc.Arbitrary<Written> = fc
  .uniqueArray(
    fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'), dataType),
    { selector: ([name]) => name, maxLength: 12 },
  )
  .chain((named) =>
    fc.record({
      columns: fc.constant(named.map(([name, type]) => ({ name, type }))),
      row: fc.record({
        eventMicros: fc.maxSafeInteger(),
        knownMicros: fc.maxSafeInteger(),
        deleted: fc.boolean(),
        values: fc.tuple(...named.map(([, type]) => fc.option(anyValue(type), { freq: 4 }))),
      }),
    }),
  );

function pack({ columns, row }: Written, padding = 0): Uint8Array {
  const writer = new ByteWriter();
  writer.zeros(padding);
  compileRowCodec(rowSchema(columns)).write(writer, row);
  writer.uint32(0xffffffff);
  return writer.take();
}

describe('a packed row', () => {
  it('gives back its times and values, wherever it lies', () => {
    fc.assert(
      fc.property(written, fc.integer({ min: 0, max: 9 }), (one, at) => {
        const bytes = pack(one, at);
        const codec = compileRowCodec(rowSchema(one.columns));
        expect(codec.matches(bytes, at)).toBe(true);
        expect([rowEvent(bytes, at), rowKnown(bytes, at), isRowDeleted(bytes, at)]).toEqual([
          one.row.eventMicros,
          one.row.knownMicros,
          one.row.deleted,
        ]);
        expect(one.columns.map((_, column) => codec.readColumn(bytes, at, column))).toEqual(one.row.values);
      }),
      { numRuns: runs(500) },
    );
  });

  it('is read under another schema by column name: reordered, grown or shrunk, and never misread', () => {
    fc.assert(
      fc.property(written, written, fc.infiniteStream(fc.nat()), (one, other, random) => {
        const bytes = pack(one);
        const mixed = [...one.columns.filter((_, index) => index % 2 === 0), ...other.columns]
          .filter((column, index, all) => all.findIndex(({ name }) => name === column.name) === index)
          .map((column) => ({ column, sort: random.next().value as number }))
          .sort((a, b) => a.sort - b.sort)
          .map(({ column }) => column);
        const wanted = rowSchema(mixed);
        const fingerprint = rowFingerprint(bytes, 0);
        const stored = parseSchema(fingerprint, describeSchema(rowSchema(one.columns)));
        expect(stored?.fingerprint).toBe(fingerprint);
        if (stored === undefined) return;
        expect(compileRowCodec(wanted).matches(bytes, 0)).toBe(wanted.fingerprint === fingerprint);
        const codec = compileRowCodec(stored);
        mapColumns(stored, wanted).forEach((from, index) => {
          const { name, type } = mixed[index] as SchemaColumn;
          const at = one.columns.findIndex((column) => column.name === name);
          if (at < 0) expect(from).toBe('missing');
          else if (JSON.stringify(one.columns[at]?.type) !== JSON.stringify(type)) expect(from).toBe('changed');
          else expect(codec.readColumn(bytes, 0, from as number)).toEqual(one.row.values[at]);
        });
      }),
      { numRuns: runs(500) },
    );
  });

  it('takes the same column of other code for another column', () => {
    const type: DataType = { kind: 'float64' };
    const stored = rowSchema([{ name: 'late', type, origin: 'one' }]);
    expect(mapColumns(stored, rowSchema([{ name: 'late', type, origin: 'two' }]))).toEqual(['changed']);
    expect(mapColumns(stored, stored)).toEqual([0]);
  });

  it('has a description that only its own fingerprint names', () => {
    const schema = rowSchema([{ name: 'a', type: { kind: 'bool' } }]);
    expect(parseSchema('0123456789abcdef', describeSchema(schema))).toBeUndefined();
  });
});
