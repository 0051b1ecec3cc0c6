// What a request row must carry, and what is said of one that doesn't.

import { describe, expect, it } from 'vitest';
import { type DataType, type ErrorDetail, type Field, invalid, parseJson, type Value } from '../../src/core/index.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';

const string = { kind: 'string' } as const;
const float32 = { kind: 'float32' } as const;
const float64 = { kind: 'float64' } as const;
const int64 = { kind: 'int64' } as const;
const list = (of: DataType): DataType => ({ kind: 'list', of });
const column = (name: string, type: DataType, more: Partial<Field> = {}): Field => ({ name, type, ...more });

function parse(columns: readonly Field[], ...rows: readonly unknown[]) {
  const parser = compileRowParser(columns, 'inputs');
  const mistakes: ErrorDetail[] = [];
  const parsed: (readonly Value[])[] = rows.map((row, index) => parser(row, index, mistakes));
  return { rows: parsed, told: mistakes.map(({ path, message }) => `${path}: ${message}`), mistakes };
}

const ROUTE = [column('origin', string), column('distance', float64)];
const ATL = { origin: 'ATL', distance: 1 };
const MUST = 'Every row must carry it, unless its definition says .optional() or .default(…)';

describe('a required column', () => {
  it('must be there and have a value, in every row, and all that lack it are named at once', () => {
    expect(parse(ROUTE, {}, { ...ATL, distance: null }, ATL, { distance: 1 }).told).toEqual([
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
    const columns = ['constructor', 'toString', '__proto__'].map((name) => column(name, string));
    expect(parse(columns, {}).told).toHaveLength(3);
    const own = parse(columns, parseJson('{"constructor":"a","toString":"b","__proto__":"c"}'));
    expect(own).toMatchObject({ rows: [['a', 'b', 'c']], told: [] });
    const beside = parse(ROUTE, parseJson('{"origin":"ATL","distance":1,"__proto__":{"distance":2}}'));
    expect(beside).toMatchObject({ rows: [['ATL', 1]], told: [] });
  });
});

describe('a column that a row may lack', () => {
  const optional = column('note', string, { isOptional: true });
  const rate = column('rate', float64, { default: 1.5 });
  const columns = [...ROUTE, optional, rate, column('tags', list(string), { default: ['x'] })];
  const nulls = { ...ATL, note: null, rate: null, tags: null };
  const full = { ...ATL, note: 'n', rate: 2, tags: [] };

  it('is null where it is optional, and its default where it has one, absent or null', () => {
    const { rows, told } = parse(columns, ATL, nulls, full);
    expect(told).toEqual([]);
    const lacking = ['ATL', 1, null, 1.5, ['x']];
    expect(rows).toEqual([lacking, lacking, ['ATL', 1, 'n', 2, []]]);
  });

  it('gives each row a default of its own, which a function may change', () => {
    const { rows } = parse(columns, ATL, ATL);
    (rows[0]?.[4] as Value[] | undefined)?.push('y');
    expect(rows[1]?.[4]).toEqual(['x']);
    expect(parse(columns, ATL).rows[0]?.[4]).toEqual(['x']);
  });

  it('is a likely slip beside a member of another name, whether it is optional or has a default', () => {
    for (const row of [full, nulls]) expect(parse(columns, { ...row, more: 1 }).told).toEqual([]);
    expect(parse(columns, { ...ATL, note: 'n', tags: [], rat: 2 }).told).toEqual([
      'inputs[0].rat: no such column; the row lacks "rate"; its other columns are "origin", "distance", "note", "tags". Did you mean "rate"?',
    ]);
    expect(parse(columns, { ...ATL, rate: 1, tags: [], noet: 'n' }).told).toHaveLength(1);
  });
});

describe('a value', () => {
  it('with half of a surrogate pair is refused, alone and in a list', () => {
    const columns = [...ROUTE, column('tags', list(string))];
    const half = { ...ATL, origin: 'a\ud800', tags: [] };
    expect(parse(columns, half, { ...ATL, origin: '😀', tags: ['ok', '\udc00'] }).told).toEqual([
      'inputs[0].origin: expected string, got string "a\\ud800": half of a surrogate pair is no text',
      'inputs[1].tags: expected list(string), got an array of 2: half of a surrogate pair is no text',
    ]);
  });

  it('of a float is a finite number, or text that names another', () => {
    const types = { f: float64, g: float32, l: list(float64), v: { kind: 'vector', size: 2 } } as const;
    const columns = Object.entries(types).map(([name, type]) => column(name, type));
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
    const every = ['1e400', '-1e400', '9'.repeat(400)].map((json) => ({
      f: json,
      g: json,
      l: `[1,${json}]`,
      v: `[${json},1]`,
    }));
    const short = ['1e39', '1'.padEnd(40, '0')].map((json) => ({ g: json, v: `[${json},1]` }));
    for (const values of [...every, ...short])
      for (const [name, value] of Object.entries(values)) {
        const row = { ...fine, ...(parseJson(`{"${name}":${value}}`) as object) };
        const message = new RegExp(`^inputs\\[0\\]\\.${name}: expected .+, got .{1,60}${past}$`);
        expect(parse(columns, row).told).toEqual([expect.stringMatching(message)]);
      }
    expect(parse([column('o', float64, { isOptional: true })], { o: Infinity }).told).toHaveLength(1);
    expect(parse([column('n', float64)], parseJson(`{"n":${'1'.padEnd(46, '0')}}`)).rows).toEqual([[1e45]]);
  });

  it('of an int64 is a number or text with all its digits; other numbers are no text', () => {
    const columns = [column('n', int64), column('all', list(int64))];
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
    const past = parseJson('[1e400,-1e400]') as unknown[];
    for (const n of ['9223372036854775808', '1.5', '1e3', '', ' 7', '0x10', 1.5, ...past])
      expect(parse(columns, { n, all: [] }).told).toEqual([
        expect.stringMatching(/^inputs\[0\]\.n: expected int64, got .{1,120}$/),
      ]);
    for (const type of [float64, { kind: 'int32' }, float32] as const)
      expect(parse([column('n', type)], { n: '7' }).told).toHaveLength(1);
  });

  it.each([string, list(string), int64, list(int64)])(
    'that is an array nested beyond all use is a mistake of a column of %j, and no fault of the server',
    (type) => {
      for (const depth of [8000, 200_000]) {
        const nested = parseJson(`${'['.repeat(depth)}"x"${']'.repeat(depth)}`);
        expect(parse([column('origin', type)], { origin: nested }).told).toEqual([
          expect.stringMatching(/^inputs\[0\]\.origin: expected [^,]+, got an array of 1$/),
        ]);
      }
    },
  );
});

it('names a hundred mistakes of a request, and counts the rest', () => {
  const { mistakes } = parse(ROUTE, ...Array.from({ length: 5000 }, () => ({})));
  expect(mistakes).toHaveLength(10_000);
  const error = invalid(mistakes);
  expect(error.details).toHaveLength(100);
  expect(error.details.at(-1)?.path).toBe('inputs[49].distance');
  expect(error.message).toMatch(/ \(and 9999 more, the first 100 are listed\)$/);
});
