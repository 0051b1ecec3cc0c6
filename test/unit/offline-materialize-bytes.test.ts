// Keys and bases in bulk are, byte for byte, what encodeKey and packBase give one by one.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DuckDBDataChunk } from '@duckdb/node-api';
import { type DataType, encodeKey, encodeOrder, type Field, type Value } from '../../src/core/index.ts';
import { createBasePacker, type LatestRows } from '../../src/offline/materialize/base-packer.ts';
import { streamedKey } from '../../src/offline/materialize/fact-sql.ts';
import { createKeyReader } from '../../src/offline/materialize/key-column.ts';
import { createViewCodec, type LatestRow, packBase, type ViewCodec } from '../../src/online/index.ts';
import { duckType } from '../../src/offline/sources/sql-text.ts';
import { createRowAppender } from '../../src/offline/duckdb/row-appender.ts';
import { sourceOf, TYPES, viewOf, worldOfAll, latest, oneView, fields } from '../support/offline-world.ts';
import { runs } from '../support/tier.ts';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const micros = fc.integer({ min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
const values = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64,
  float32: fc.float().map(Math.fround),
  float64: fc.double(),
  string: fc.string({ unit: 'binary', maxLength: 20 }),
  bytes: fc.uint8Array({ maxLength: 20 }),
  timestamp: micros,
} satisfies Record<keyof typeof TYPES, fc.Arbitrary<Value>>;
const kinds = Object.keys(values) as (keyof typeof values)[];

describe('keys in bulk', () => {
  const world = worldOfAll();

  const keyed = fc
    .array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 3 })
    .chain((of) =>
      fc.tuple(
        fc.constant(of),
        fc.array(fc.tuple(...of.map((kind) => values[kind] as fc.Arbitrary<Value>)), { minLength: 1, maxLength: 40 }),
      ),
    );

  it('are those of encodeKey', async () => {
    await fc.assert(
      fc.asyncProperty(keyed, async ([of, rows]) => {
        const types = of.map((kind): DataType => TYPES[kind]);
        await world.select(
          `CREATE OR REPLACE TEMP TABLE keys (${['__hr_row INTEGER', ...types.map((type, i) => `k${i} ${duckType(type)}`)].join(', ')})`,
        );
        const appender = await createRowAppender(world.connection, 'keys', [TYPES.int32, ...types]);
        rows.forEach((row, i) => appender.add([i, ...row]));
        appender.close();
        const columns = types.map((type, i) => streamedKey(`k${i}`, type));
        const stream = await world.connection.stream(`SELECT ${columns.join(', ')} FROM keys ORDER BY __hr_row`);
        const chunk = (await stream.fetchChunk()) as DuckDBDataChunk;
        const keys = createKeyReader(types)(chunk, 0);
        expect(keys.map((key) => Buffer.from(key).toString('hex'))).toEqual(
          rows.map((row) => Buffer.from(encodeKey(types, row) ?? []).toString('hex')),
        );
      }),
      { numRuns: runs(80) },
    );
  });
});

describe('bases in bulk', () => {
  function codecOf(columns: readonly Field[]): ViewCodec {
    const features = columns.map(({ name, type }) => latest(name, type, name));
    const all = [...fields({ id: TYPES.string, at: TYPES.timestamp }), ...columns];
    return createViewCodec(oneView(sourceOf('s', 'none', all), viewOf('v', 'thing', 's', ['id'], features)), 'v');
  }

  const order = fc.oneof(
    fc.constant(encodeOrder(undefined, undefined)),
    fc.record({ writer: fc.nat(), offset: fc.nat() }).map((place) => encodeOrder(undefined, place)),
    int64.map((value) => encodeOrder({ type: TYPES.int64, value }, undefined)),
  );
  const bases = fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 12 }).chain((of) =>
    fc.tuple(
      fc.constant(of),
      fc.array(
        fc.record({
          eventMicros: micros,
          knownMicros: micros,
          order,
          deleted: fc.boolean(),
          values: fc.tuple(...of.map((kind) => fc.option(values[kind] as fc.Arbitrary<Value>, { nil: null, freq: 4 }))),
        }),
        { minLength: 1, maxLength: 30 },
      ),
      fc.nat(),
      micros,
    ),
  );

  // Named so that they lie in their order: a record has its columns by name.
  it('are those of packBase, of columns of any width, nulls, tombstones and orders', () => {
    fc.assert(
      fc.property(bases, ([of, rows, run, asOf]) => {
        const codec = codecOf(of.map((kind, i) => ({ name: `c${String(i).padStart(2, '0')}`, type: TYPES[kind] })));
        const latest = rows as readonly LatestRow[];
        const columns = of.map((kind, c): LatestRows['columns'][number] => {
          const read = (row: number): Value => latest[row]?.values[c] ?? null;
          const isPlain = (kind === 'float64' || kind === 'timestamp') && latest.every((row) => row.values[c] !== null);
          return isPlain ? { read, numbers: Float64Array.from(latest, (row) => row.values[c] as number) } : { read };
        });
        const pack = createBasePacker(codec, run, asOf);
        const packed = pack({
          size: rows.length,
          eventMicros: Float64Array.from(latest, ({ eventMicros }) => eventMicros),
          knownMicros: Float64Array.from(latest, ({ knownMicros }) => knownMicros),
          orders: latest.map((row) => row.order),
          isDeleted: (row) => latest[row]?.deleted === true,
          columns,
        });
        expect(packed.map((base) => Buffer.from(base).toString('hex'))).toEqual(
          latest.map((row) => Buffer.from(packBase(codec, run, asOf, { latest: row, tiles: null })).toString('hex')),
        );
      }),
      { numRuns: runs(200) },
    );
  });
});
