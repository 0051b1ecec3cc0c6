// What a request row must carry, and what is said of one that doesn't.

import { describe, expect, it } from 'vitest';
import { type ErrorDetail, type Field, invalid, parseJson, type Value } from '../../src/core/index.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';

const string = { kind: 'string' } as const;
const float64 = { kind: 'float64' } as const;
const int64 = { kind: 'int64' } as const;

const parse = (
  columns: readonly Field[],
  ...rows: readonly unknown[]
): { rows: readonly (readonly Value[])[]; told: string[]; mistakes: ErrorDetail[] } => {
  const parser = compileRowParser(columns, 'inputs');
  const mistakes: ErrorDetail[] = [];
  const parsed = rows.map((row, index) => parser(row, index, mistakes));
  return { rows: parsed, told: mistakes.map(({ path, message }) => `${path}: ${message}`), mistakes };
};

const ROUTE: readonly Field[] = [
  { name: 'origin', type: string },
  { name: 'distance', type: float64 },
];
const MUST = 'Every row must carry it, unless its definition says .optional() or .default(…)';

describe('a required column', () => {
  it('must be there and have a value, in every row, and all that lack it are named at once', () => {
    expect(
      parse(ROUTE, {}, { origin: 'ATL', distance: null }, { origin: 'ATL', distance: 1 }, { distance: 1 }).told,
    ).toEqual([
      `inputs[0].origin: expected string, got nothing. ${MUST}`,
      `inputs[0].distance: expected float64, got nothing. ${MUST}`,
      `inputs[1].distance: expected float64, got null. ${MUST}`,
      `inputs[3].origin: expected string, got nothing. ${MUST}`,
    ]);
  });

  it('is named with what was written in its place', () => {
    expect(parse(ROUTE, { origin: 'ATL', distnce: 606 }).told).toEqual([
      `inputs[0].distance: expected float64, got nothing. ${MUST}`,
      'inputs[0].distnce: no such column; the row lacks "distance"; its other columns are "origin". Did you mean "distance"?',
    ]);
  });

  it('is not what the prototype has by its name', () => {
    const columns = ['constructor', 'toString', '__proto__'].map((name): Field => ({ name, type: string }));
    expect(parse(columns, {}).told).toHaveLength(3);
    const { rows, told } = parse(columns, parseJson('{"constructor":"a","toString":"b","__proto__":"c"}'));
    expect({ rows, told }).toEqual({ rows: [['a', 'b', 'c']], told: [] });
    expect(parse(ROUTE, parseJson('{"origin":"ATL","distance":1,"__proto__":{"distance":2}}'))).toMatchObject({
      rows: [['ATL', 1]],
      told: [],
    });
  });
});

describe('a column that a row may lack', () => {
  const columns: readonly Field[] = [
    ...ROUTE,
    { name: 'note', type: string, isOptional: true },
    { name: 'rate', type: float64, default: 1.5 },
    { name: 'tags', type: { kind: 'list', of: string }, default: ['x'] },
  ];
  const known = { origin: 'ATL', distance: 1 };

  it('is null where it is optional, and its default where it has one, absent or null', () => {
    const all = { ...known, note: 'n', rate: 2, tags: [] };
    const { rows, told } = parse(columns, known, { ...known, note: null, rate: null, tags: null }, all);
    expect(told).toEqual([]);
    expect(rows).toEqual([
      ['ATL', 1, null, 1.5, ['x']],
      ['ATL', 1, null, 1.5, ['x']],
      ['ATL', 1, 'n', 2, []],
    ]);
  });

  it('gives each row a default of its own, which a function may change', () => {
    const { rows } = parse(columns, known, known);
    (rows[0]?.[4] as Value[] | undefined)?.push('y');
    expect(rows[1]?.[4]).toEqual(['x']);
    expect(parse(columns, known).rows[0]?.[4]).toEqual(['x']);
  });

  it('is a likely slip beside a member of another name, whether it is optional or has a default', () => {
    const full = { ...known, note: 'n', rate: 2, tags: [] };
    expect(parse(columns, { ...full, more: 1 }).told).toEqual([]);
    expect(parse(columns, { ...known, note: null, rate: null, tags: null, more: 1 }).told).toEqual([]);
    expect(parse(columns, { ...known, note: 'n', tags: [], rat: 2 }).told).toEqual([
      'inputs[0].rat: no such column; the row lacks "rate"; its other columns are "origin", "distance", "note", "tags". Did you mean "rate"?',
    ]);
    expect(parse(columns, { ...known, rate: 1, tags: [], noet: 'n' }).told).toHaveLength(1);
  });
});

describe('a value', () => {
  it('with half of a surrogate pair is refused, alone and in a list', () => {
    const columns: readonly Field[] = [...ROUTE, { name: 'tags', type: { kind: 'list', of: string } }];
    const { told } = parse(
      columns,
      { origin: 'a\ud800', distance: 1, tags: [] },
      { origin: '😀', distance: 1, tags: ['ok', '\udc00'] },
    );
    expect(told).toEqual([
      'inputs[0].origin: expected string, got string "a\\ud800": half of a surrogate pair is no text',
      'inputs[1].tags: expected list(string), got an array of 2: half of a surrogate pair is no text',
    ]);
  });

  it('of a float is a finite number, or text that names another', () => {
    const types = {
      f: float64,
      g: { kind: 'float32' },
      l: { kind: 'list', of: float64 },
      v: { kind: 'vector', size: 2 },
    } as const;
    const columns = Object.entries(types).map(([name, type]): Field => ({ name, type }));
    const fine = { f: 1, g: 2, l: [3, null], v: [4, 5] };
    const { rows, told } = parse(
      columns,
      fine,
      { f: 'Infinity', g: '-Infinity', l: ['NaN', null], v: ['NaN', 'Infinity'] },
      { ...fine, f: 2n ** 70n, g: 2n ** 70n, l: [2n ** 70n], v: [2n ** 70n, 0] },
    );
    expect(told).toEqual([]);
    expect(rows).toEqual([
      [1, 2, [3, null], Float32Array.of(4, 5)],
      [Infinity, -Infinity, [NaN, null], Float32Array.of(NaN, Infinity)],
      [2 ** 70, 2 ** 70, [2 ** 70], Float32Array.of(2 ** 70, 0)],
    ]);
    const past = ': a number past what it holds. Infinity goes as text, "Infinity" or "-Infinity"';
    for (const json of ['1e400', '-1e400', `1${'0'.repeat(400)}`])
      for (const [name, value] of Object.entries({ f: json, g: json, l: `[1,${json}]`, v: `[${json},1]` })) {
        const row = { ...fine, ...(parseJson(`{"${name}":${value}}`) as object) };
        expect(parse(columns, row).told).toEqual([
          expect.stringMatching(new RegExp(`^inputs\\[0\\]\\.${name}: expected .+, got .+${past}$`)),
        ]);
      }
    expect(parse([{ name: 'o', type: float64, isOptional: true }], { o: Infinity }).told).toHaveLength(1);
  });

  it('of an int64 is a number or text with all its digits; other numbers are no text', () => {
    const columns: readonly Field[] = [
      { name: 'n', type: int64 },
      { name: 'all', type: { kind: 'list', of: int64 } },
    ];
    const { rows, told } = parse(
      columns,
      { n: '9223372036854775807', all: ['-9223372036854775808', 3, null] },
      { n: 7, all: [] },
      parseJson('{"n":9007199254740993,"all":[]}'),
    );
    expect(told).toEqual([]);
    expect(rows).toEqual([
      [9223372036854775807n, [-9223372036854775808n, 3n, null]],
      [7n, []],
      [9007199254740993n, []],
    ]);
    for (const n of ['9223372036854775808', '1.5', '1e3', '', ' 7', '0x10', 1.5])
      expect(parse(columns, { n, all: [] }).told).toEqual([
        expect.stringMatching(/^inputs\[0\]\.n: expected int64, got/),
      ]);
    for (const type of [float64, { kind: 'int32' }, { kind: 'float32' }] as const)
      expect(parse([{ name: 'n', type }], { n: '7' }).told).toHaveLength(1);
  });
});

it('names a hundred mistakes of a request, and counts the rest', () => {
  const { mistakes } = parse(ROUTE, ...Array.from({ length: 5000 }, () => ({})));
  expect(mistakes).toHaveLength(10_000);
  const error = invalid(mistakes);
  expect(error.details).toHaveLength(100);
  expect(error.details.at(-1)?.path).toBe('inputs[49].distance');
  expect(error.message).toMatch(/ \(and 9999 more, the first 100 are listed\)$/);
});

describe('an array that is nested beyond all use', () => {
  const nested = (depth: number, inner: string): unknown => parseJson('['.repeat(depth) + inner + ']'.repeat(depth));

  it.each([string, { kind: 'list', of: string }, int64, { kind: 'list', of: int64 }] as const)(
    'is a mistake of a column of %j, and no fault of the server',
    (type) => {
      for (const depth of [8000, 200_000]) {
        expect(parse([{ name: 'origin', type }], { origin: nested(depth, '"x"') }).told).toEqual([
          expect.stringMatching(/^inputs\[0\]\.origin: expected [^,]+, got an array of 1$/),
        ]);
      }
    },
  );

  it('is looked through for half of a surrogate pair as far as a column can be nested', () => {
    expect(parse([{ name: 'origin', type: { kind: 'list', of: string } }], { origin: ['a', '\ud800'] }).told).toEqual([
      'inputs[0].origin: expected list(string), got an array of 2: half of a surrogate pair is no text',
    ]);
  });
});

it('refuses a number that no double holds, however it is written: infinity goes as text', () => {
  for (const type of [float64, { kind: 'float32' }, int64, { kind: 'list', of: float64 }] as const) {
    const columns = [{ name: 'n', type }];
    const written = (text: string): unknown => parseJson(`{"n":${type.kind === 'list' ? `[${text}]` : text}}`);
    for (const text of ['1e400', '-1e400', '9'.repeat(400)]) {
      const { told } = parse(columns, written(text));
      expect(told).toEqual([expect.stringMatching(/^inputs\[0\]\.n: expected [^ ]+, got .{1,120}$/)]);
    }
    if (type.kind !== 'int64') expect(parse(columns, written('"-Infinity"')).told).toEqual([]);
    if (type.kind === 'float64') expect(parse(columns, written('1'.padEnd(46, '0'))).rows).toEqual([[1e45]]);
  }
});
