// Rows that come as Arrow: of every type, in every encoding that takes it, the values that went in, and what the same rows as
// JSON come to.

import fc from 'fast-check';
import {
  Field as LibraryField,
  Int32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import {
  type DataType,
  type ErrorDetail,
  type Field as Column,
  type HeadraceError,
  parseJson,
  stringifyJson,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import { readArrowRows } from '../../src/serving/arrow/index.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';
import { encodingsOf, nullColumn, streamOf } from '../support/arrow-tables.ts';
import { runs } from '../support/tier.ts';

const LIMIT = 1_000_000;
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -200n, max: 300n }),
  fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n),
);
// JSON's writer has no −0.
const double = fc
  .oneof(fc.double(), fc.integer(), fc.constantFrom(NaN, Infinity, -Infinity, 2 ** 53))
  .map((value) => (value === 0 ? 0 : value));
const single = double.map((value) => (Math.fround(value) === 0 ? 0 : Math.fround(value)));
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', 'é', '😀', '\u0000', '\ufeffa'),
);
const day = 86_400_000_000;
const times = fc.oneof(
  fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  fc.integer({ min: -40_000, max: 40_000 }).map((days) => days * day),
  fc.integer({ min: -4_000_000, max: 4_000_000 }).map((seconds) => seconds * 1_000_000),
);
const VALUES: Readonly<Record<string, readonly [DataType, fc.Arbitrary<Value>]>> = {
  bool: [{ kind: 'bool' }, fc.boolean()],
  int32: [{ kind: 'int32' }, fc.oneof(fc.integer(), fc.integer({ min: -100, max: 100 }))],
  int64: [{ kind: 'int64' }, int64],
  float32: [{ kind: 'float32' }, single],
  float64: [{ kind: 'float64' }, double],
  string: [{ kind: 'string' }, text],
  bytes: [{ kind: 'bytes' }, fc.uint8Array({ maxLength: 4 })],
  timestamp: [{ kind: 'timestamp' }, times],
  vector: [
    { kind: 'vector', size: 3 },
    fc.array(single, { minLength: 3, maxLength: 3 }).map((items) => Float32Array.from(items)),
  ],
  list: [{ kind: 'list', of: { kind: 'string' } }, fc.array(fc.option(text), { maxLength: 3 })],
  'list of int64': [{ kind: 'list', of: { kind: 'int64' } }, fc.array(fc.option(int64), { maxLength: 3 })],
  'list of lists': [
    { kind: 'list', of: { kind: 'list', of: { kind: 'bool' } } },
    fc.array(fc.option(fc.array(fc.boolean(), { maxLength: 2 })), { maxLength: 3 }),
  ],
};

const CASES = Object.entries(VALUES).flatMap(([name, [type, values]]) =>
  encodingsOf(type).map((encoding) => ({ name, type, values, encoding })),
);

/** As values, or what is wrong with the rows. */
function readArrow(columns: readonly Column[], stream: Uint8Array): readonly (readonly Value[])[] | string[] {
  const rows = readArrowRows(stream, LIMIT);
  const mistakes: ErrorDetail[] = [];
  try {
    const parse = rows.parser(columns, 'rows');
    const parsed = Array.from({ length: rows.count }, (_, place) => parse(place, mistakes));
    return mistakes.length > 0 ? mistakes.map(({ path }) => path) : parsed;
  } catch (thrown) {
    return (thrown as HeadraceError).details.map(({ path }) => path);
  }
}

function readJson(columns: readonly Column[], rows: readonly object[]): readonly (readonly Value[])[] | string[] {
  const parse = compileRowParser(columns, 'rows');
  const mistakes: ErrorDetail[] = [];
  const parsed = (parseJson(stringifyJson(rows)) as readonly unknown[]).map((row, place) =>
    parse(row, place, mistakes),
  );
  return mistakes.length > 0 ? mistakes.map(({ path }) => path) : parsed;
}

describe.each(CASES)('$name as $encoding.name', ({ type, values, encoding }) => {
  it('is the value that went in, and what its JSON is', () => {
    fc.assert(
      fc.property(fc.array(fc.option(values, { freq: 5 }), { maxLength: 20 }), fc.boolean(), (given, isOptional) => {
        const sent = given.map((value) => (value === null || (encoding.holds?.(value) ?? true) ? value : null));
        const column: Column = isOptional ? { name: 'it', type, isOptional } : { name: 'it', type };
        const came = readArrow([column], streamOf({ it: encoding.encode(sent) }));
        const isRefused = !isOptional && sent.includes(null);
        if (!isRefused) expect(came).toEqual(sent.map((value) => [value]));
        expect(came).toEqual(
          readJson(
            [column],
            sent.map((value) => ({ it: toJson(type, value) })),
          ),
        );
      }),
      { numRuns: runs(60) },
    );
  });
});

it('several columns are rows, whatever else comes, and one that is not there is what a row without it is', () => {
  const kinds = Object.values(VALUES);
  const columns = kinds.map(([type], at): Column => {
    const name = `c${at}`;
    return at % 3 === 0 ? { name, type, isOptional: true } : { name, type };
  });
  const row = fc.tuple(...kinds.map(([, values], at) => (at % 3 === 0 ? fc.option(values) : values)));
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 6 }),
      fc.subarray(columns.map(({ name }) => name)),
      fc.boolean(),
      fc.boolean(),
      (rows, missing, hasOther, isReversed) => {
        const sent = columns.filter(({ name }) => !missing.includes(name));
        const vectors = sent.map(({ name, type }): [string, Vector] => {
          const at = columns.findIndex((column) => column.name === name);
          const values = rows.map((one) => one[at] as Value);
          const encoding = encodingsOf(type).findLast(({ holds }) => holds === undefined);
          return [name, (encoding as { encode(values: readonly Value[]): Vector }).encode(values)];
        });
        if (hasOther)
          vectors.push([
            'other',
            vectorFromArray(
              rows.map(() => 1),
              new Int32(),
            ),
          ]);
        if (isReversed) vectors.reverse();
        if (vectors.length === 0) return;
        const json = rows.map((one) => ({
          ...Object.fromEntries(
            sent.map(({ name, type }) => [name, toJson(type, one[columns.findIndex((c) => c.name === name)] as Value)]),
          ),
          ...(hasOther ? { other: 1 } : {}),
        }));
        const [arrow, expected] = [readArrow(columns, streamOf(Object.fromEntries(vectors))), readJson(columns, json)];
        // What is wrong with a whole column is told once, not for each of its rows.
        const ofColumns = new Set(
          (expected as readonly unknown[]).map((one) =>
            typeof one === 'string' ? one.replace(/^rows\[\d+\]/, 'rows') : '',
          ),
        );
        if (typeof arrow[0] === 'string') expect(new Set(arrow as readonly unknown[])).toEqual(ofColumns);
        else expect(arrow).toEqual(expected);
      },
    ),
    { numRuns: runs(100) },
  );
});

it('a DataFrame’s index is no slip, where a column is absent', () => {
  const columns: Column[] = [
    { name: 'it', type: { kind: 'int32' } },
    { name: 'more', type: { kind: 'int32' }, isOptional: true },
  ];
  const one = vectorFromArray([1], new Int32());
  expect(readArrow(columns, streamOf({ it: one, __index_level_0__: one }))).toEqual([[1, null]]);
  expect(readArrow(columns, streamOf({ it: one, moer: one }))).toEqual(['rows.moer']);
});

it('two columns of one name are refused', () => {
  const one = vectorFromArray([1], new Int32());
  const table = new Table(new Schema([new LibraryField('it', new Int32()), new LibraryField('it', new Int32())]), [
    new RecordBatch(
      new Schema([new LibraryField('it', new Int32()), new LibraryField('it', new Int32())]),
      makeData({ type: new Struct([]), length: 1, children: [one.data[0], one.data[0]] as never }),
    ),
  ]);
  expect(() => readArrowRows(tableToIPC(table, 'stream'), LIMIT)).toThrow('it: two columns have this name');
});

it('a column of nulls alone is null in every column that may be', () => {
  for (const [type] of Object.values(VALUES)) {
    expect(readArrow([{ name: 'it', type, isOptional: true }], streamOf({ it: nullColumn(2) }))).toEqual([
      [null],
      [null],
    ]);
    expect(readArrow([{ name: 'it', type }], streamOf({ it: nullColumn(2) }))).toEqual(['rows[0].it', 'rows[1].it']);
  }
});

it('what no value of the type can be is refused for its column, whatever the values are', () => {
  const all = Object.values(VALUES).flatMap(([type, values]) =>
    encodingsOf(type).map((encoding) => ({ type, values, encoding })),
  );
  const numbers = new Set(['float32', 'float64', 'int32', 'int64']);
  for (const [type] of Object.values(VALUES)) {
    for (const { type: other, values, encoding } of all) {
      const takes = encodingsOf(type).some(({ name }) => name === encoding.name);
      const isNumeric = numbers.has(type.kind) && (encoding.name.includes('Int') || type.kind.startsWith('float'));
      if (takes || (isNumeric && numbers.has(other.kind)) || encoding.name.includes('List')) continue;
      const [value] = fc.sample(
        values.filter((one) => encoding.holds?.(one) ?? true),
        { numRuns: runs(1), seed: 1 },
      );
      const came = readArrow([{ name: 'it', type }], streamOf({ it: encoding.encode([value as Value]) }));
      expect(came, `${encoding.name} as ${type.kind}`).toEqual(['rows.it']);
    }
  }
});
