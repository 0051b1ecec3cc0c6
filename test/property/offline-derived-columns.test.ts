// Derived columns of a row are the same whether it lies in a file, in the log, or is about to be pushed: for every type, and
// by SQL as by a function.

import type { DuckDBValue } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DataType, type Field, type Row, stringifyJson, toJson, type Value } from '../../src/core/index.ts';
import type { DeriveSpec, SourceSpec, UserFunction } from '../../src/definitions/index.ts';
import { fromDuck } from '../../src/offline/duckdb/vector-values.ts';
import { readableCoverage } from '../../src/offline/facts/log-rows.ts';
import { createRowDeriver } from '../../src/offline/facts/row-deriver.ts';
import { definitionsOf, fields, manifestOf, sourceOf, TYPES, writeCuts, worldOfAll } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';
import { runs } from '../support/tier.ts';

const world = worldOfAll();

const LIST: DataType = { kind: 'list', of: TYPES.timestamp };
const VECTOR: DataType = { kind: 'vector', size: 2 };
const { timestamp: at, bool: flag, int32: i32, int64: i64, float32: f32, float64: f64, string: s, bytes: raw } = TYPES;
const COLUMNS = fields({ at, flag, i32, i64, f32, f64, s, raw, times: LIST, vector: VECTOR });

const nullable = <T extends Value>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 5 });
// Whole milliseconds where a user's function sees the time: a Date keeps no more.
const time = fc.integer({ min: -1e9, max: 1e9 }).map((millis) => millis * 1000);
const micros = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
const float32 = fc.oneof(fc.float(), fc.constantFrom(NaN, Infinity, -Infinity, 1e-45)).map(Math.fround);

const row: fc.Arbitrary<Row> = fc.record({
  at: nullable(time),
  flag: nullable(fc.boolean()),
  i32: nullable(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  i64: nullable(fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constant(2n ** 53n + 1n))),
  f32: nullable(float32),
  f64: nullable(fc.oneof(fc.double(), fc.constantFrom(-0, NaN, Infinity, -Infinity, 5e-324))),
  s: nullable(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'é', "'); --", '𝄞\n"'))),
  raw: nullable(fc.uint8Array({ maxLength: 6 })),
  times: nullable(fc.array(nullable(micros), { maxLength: 3 })),
  vector: nullable(fc.tuple(float32, float32).map((items) => Float32Array.from(items))),
});

/** Each column as it is, by a function and by SQL; and by SQL what shows its exact bits. */
const by = (id: string) => ({ kind: 'function', function: { id, hash: 'test' } }) as const;
const DERIVE: DeriveSpec[] = COLUMNS.flatMap(({ name, type }): DeriveSpec[] => [
  { name: `fn_${name}`, type, by: by(name) },
  { name: `sql_${name}`, type, by: { kind: 'sql', sql: `"${name}"` } },
  { name: `text_${name}`, type: TYPES.string, by: { kind: 'sql', sql: `CAST("${name}" AS VARCHAR)` } },
]);
const FUNCTIONS: Record<string, UserFunction> = Object.fromEntries(
  COLUMNS.map(({ name, type }): [string, UserFunction] => {
    const isTimes = type.kind === 'list';
    // Dates in a list lose their microseconds; their number stays.
    return [name, (given: Record<string, unknown>) => (isTimes ? (given[name] === null ? null : []) : given[name])];
  }),
);

const shown = (row: Row, columns: readonly Field[]) =>
  stringifyJson(columns.map(({ name, type }) => [Object.is(row[name], -0) ? '-0' : toJson(type, row[name] ?? null)]));

describe('derived columns', () => {
  it('are the same of a file, of the log and of a push', async () => {
    let run = 0;
    const all: readonly Field[] = [...COLUMNS, ...DERIVE];
    const definitions = definitionsOf(manifestOf({}), world.directory, FUNCTIONS);
    const deps = { ...world.deps, definitions };
    const writer = await world.log.register();
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), async (rows) => {
        const name = `s${run++}`;
        await world.put(`${name}.parquet`, COLUMNS, rows);
        const source: SourceSpec = sourceOf(name, `${name}.parquet`, COLUMNS, { pushes: 'keep', derive: DERIVE });
        await writeCuts(writer, [{ batches: [{ source, rows: rows.map((one) => ({ row: one, knownMicros: 0 })) }] }]);
        const coverage = await readableCoverage(world.log);
        const read = async (relation: string) => {
          const columns = all.map((column) => `"${column.name}"`).join(', ');
          const found = await world.select(`SELECT ${columns} FROM ${relation} ORDER BY __hr_row`);
          const rowOf = (values: readonly DuckDBValue[]) =>
            Object.fromEntries(all.map(({ name: of, type }, i) => [of, fromDuck(type, values[i] ?? null)]));
          return found.map((values) => shown(rowOf(values), all));
        };
        const [ofFile, ofLog] = await world.facts(
          source,
          async (facts) => [await read(facts.fileRelation), await read(facts.logRelation)] as const,
          { deps, boundary: -Infinity, coverage },
        );
        expect(ofFile).toHaveLength(rows.length);
        expect(ofLog).toEqual(ofFile);
        const pushed = await createRowDeriver(definitions, source, async () => world.deps.duckdb)(rows);
        expect(pushed.map((one) => shown(one, all))).toEqual(ofFile);
      }),
      { numRuns: runs(40) },
    );
  }, 60_000);

  it('that fail say so by the code of the catalogue', async () => {
    const columns = fields({ at: TYPES.timestamp, s: TYPES.string });
    const derive: DeriveSpec[] = [{ name: 'n', type: TYPES.int32, by: { kind: 'sql', sql: 'CAST(s AS INTEGER)' } }];
    const source = sourceOf('s', '', columns, { kind: 'pushed', location: {}, pushes: 'keep', derive });
    const rows = createRowDeriver(world.deps.definitions, source, async () => world.deps.duckdb);
    expect(await rows([{ at: 1, s: '7' }])).toEqual([{ at: 1, s: '7', n: 7 }]);
    expect(await rows([])).toEqual([]);
    await refused(rows([{ at: 1, s: 'x' }]), 'HR_TRANSFORM_FAILED', "'x'");
    const byFunction = { ...source, derive: [{ name: 'n', type: TYPES.int32, by: by('gone') }] };
    expect(() => createRowDeriver(world.deps.definitions, byFunction, async () => world.deps.duckdb)).toThrow(
      expect.objectContaining({ code: 'HR_CODE_MISSING' }),
    );
  });

  it('of thousands of rows come in the order of the rows', async () => {
    const columns = fields({ at: TYPES.timestamp, i32: TYPES.int32 });
    const derive: DeriveSpec[] = [{ name: 'twice', type: TYPES.int64, by: { kind: 'sql', sql: 'i32 * 2' } }];
    const source = sourceOf('s', '', columns, { kind: 'pushed', location: {}, pushes: 'keep', derive });
    const rows = Array.from({ length: 10_000 }, (_, i32): Row => ({ at: 1, i32 }));
    const derived = await createRowDeriver(world.deps.definitions, source, async () => world.deps.duckdb)(rows);
    expect(derived.every(({ i32, twice }) => twice === 2n * BigInt(i32 as number))).toBe(true);
    expect(derived).toHaveLength(10_000);
  });
});
