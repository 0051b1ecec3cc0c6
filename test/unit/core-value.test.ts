import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as core from '../../src/core/index.ts';

import { didYouMean, didYouMeanOf, nearestName } from '../../src/core/suggest.ts';

function errorOf(work: () => unknown): core.HeadraceError {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof core.HeadraceError) return thrown;
  }
  throw new Error('nothing was thrown');
}

const int32: core.DataType = { kind: 'int32' };
const int64: core.DataType = { kind: 'int64' };
const float64: core.DataType = { kind: 'float64' };

describe('JSON', () => {
  it('keeps all digits of whole numbers beyond 2^53, both ways', () => {
    const text = '{"a":9007199254740993,"b":[-9223372036854775808],"c":1.5,"d":9007199254740991}';
    const parsed = core.parseJson(text);
    expect(parsed).toEqual({ a: 9007199254740993n, b: [-9223372036854775808n], c: 1.5, d: 9007199254740991 });
    expect(core.stringifyJson(parsed)).toBe(text);
  });

  it('leaves digits inside strings alone', () => {
    expect(core.parseJson('{"id":"9007199254740993"}')).toEqual({ id: '9007199254740993' });
  });

  it('has one canonical text whatever the order of keys', () => {
    expect(core.canonicalJson({ b: 1, a: { d: undefined, c: [2, { z: 1, y: 2 }] } })).toBe(
      '{"a":{"c":[2,{"y":2,"z":1}]},"b":1}',
    );
  });
});

describe('reading a JSON value as a type', () => {
  it.each<[core.DataType, unknown]>([
    [int32, 2 ** 31],
    [int32, 1.5],
    [int32, '1'],
    [int32, NaN],
    [int64, 2 ** 53],
    [int64, 2n ** 63n],
    [int64, '1'],
    [int64, 0.5],
    [float64, '1.5'],
    [float64, true],
    [float64, 'nan'],
    [float64, 'toString'],
    [{ kind: 'bool' }, 1],
    [{ kind: 'string' }, 1],
    [{ kind: 'bytes' }, '*'],
    [{ kind: 'timestamp' }, 1_700_000_000],
    [{ kind: 'timestamp' }, 'yesterday'],
    [{ kind: 'timestamp' }, '0000-12-31T23:59:59Z'],
    [{ kind: 'timestamp' }, '9999-12-31T23:59:59-00:01'],
    [{ kind: 'list', of: { kind: 'timestamp' } }, ['2026-01-01', '0000-01-01']],
    [{ kind: 'list', of: int32 }, [1, 'a']],
    [{ kind: 'vector', size: 2 }, [1]],
  ])('refuses for %o the value %o', (type, json) => {
    expect(core.parseValue(type, json)).toBe(core.INVALID);
  });

  it.each<[core.DataType, unknown, unknown]>([
    [int64, 9007199254740993n, 9007199254740993n],
    [int64, 5, 5n],
    [float64, 'NaN', NaN],
    [float64, '-Infinity', -Infinity],
    [{ kind: 'float32' }, 0.1, Math.fround(0.1)],
    [{ kind: 'timestamp' }, '1970-01-01T00:00:01Z', 1_000_000],
    [{ kind: 'bytes' }, 'AQI=', Uint8Array.of(1, 2)],
    [{ kind: 'list', of: int64 }, [1, null], [1n, null]],
    [{ kind: 'vector', size: 2 }, [1, 'NaN'], Float32Array.of(1, NaN)],
    [int32, undefined, null],
  ])('takes for %o the value %o', (type, json, value) => {
    expect(core.parseValue(type, json)).toEqual(value);
  });

  it('writes back what it read', () => {
    expect(core.toJson(float64, NaN)).toBe('NaN');
    expect(core.toJson({ kind: 'timestamp' }, 1)).toBe('1970-01-01T00:00:00.000001Z');
    expect(core.toJson({ kind: 'bytes' }, Uint8Array.of(1, 2))).toBe('AQI=');
    expect(core.stringifyJson(core.toJson({ kind: 'list', of: int64 }, [2n ** 62n]))).toBe('[4611686018427387904]');
  });

  it('says how far times go where one is past that, in lists too', () => {
    const at: core.DataType = { kind: 'timestamp' };
    const typeOf = (name: string) => (name === 'times' ? { kind: 'list', of: at } : at);
    const fields = ['at', 'times', 'bad'].map((name) => ({ name, type: typeOf(name) }));
    const row = { at: '0000-12-31T00:00:00Z', times: ['2026-01-01', '0000-01-01'], bad: 'soon' };
    const range = 'times go from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z';
    expect(() => core.parseRows(fields as core.Field[], [row])).toThrow(
      `rows[0].at: expected timestamp, got string "0000-12-31T00:00:00Z": ${range} (and 2 more)`,
    );
    const { details } = errorOf(() => core.parseRows(fields as core.Field[], [row]));
    expect(details.map(({ message }) => message)).toEqual([
      `expected timestamp, got string "0000-12-31T00:00:00Z": ${range}`,
      `expected list(timestamp), got an array of 2: ${range}`,
      'expected timestamp, got string "soon"',
    ]);
  });

  it('names every wrong row and column at once', () => {
    const fields = [
      { name: 'n', type: int32 },
      { name: 's', type: { kind: 'string' } as const },
    ];
    const { details } = errorOf(() => core.parseRows(fields, [{ n: 1, s: 'a' }, { n: 'x', s: 2 }, 7], 'inputs'));
    expect(details).toEqual([
      { path: 'inputs[1].n', message: 'expected int32, got string "x"' },
      { path: 'inputs[1].s', message: 'expected string, got number 2' },
      { path: 'inputs[2]', message: 'expected an object, got number 7' },
    ]);
  });
});

describe('what is said of a value that came', () => {
  it('is short, however long the value is', () => {
    for (const long of ['x'.repeat(4e6), '\n'.repeat(4e6), core.parseJson('9'.repeat(4e6))]) {
      expect(core.describe(long).length).toBeLessThan(60);
      for (const type of [int32, int64, { kind: 'bool' }, { kind: 'timestamp' }] as const)
        expect(core.describeMistake(type, long).length).toBeLessThan(100);
    }
  });
});

describe('the order of values', () => {
  it('is total: null, then by value, NaN last', () => {
    const sorted = [null, -Infinity, -1, -0, 0, 1, Infinity, NaN];
    expect([NaN, 0, null, 1, -0, -1, Infinity, -Infinity].sort(core.compareValues)).toEqual(sorted);
    expect(['b', 'é', 'a', ''].sort(core.compareValues)).toEqual(['', 'a', 'b', 'é']);
    expect([[1, 2], [1], [0, 9]].sort(core.compareValues)).toEqual([[0, 9], [1], [1, 2]]);
    expect([2n ** 60n, -1n, null].sort(core.compareValues)).toEqual([null, -1n, 2n ** 60n]);
  });
});

describe('JSON of numbers', () => {
  it.each([
    ['9007199254740993', 9007199254740993n],
    [' -9007199254740993', -9007199254740993n],
    ['[1,9007199254740993]', [1, 9007199254740993n]],
    ['[\n9007199254740993]', [9007199254740993n]],
    ['{"a":9007199254740993}', { a: 9007199254740993n }],
    ['{"a": [0.8414709848078965, 123456789012345678]}', { a: [0.8414709848078965, 123456789012345678n] }],
    ['0.8414709848078965', 0.8414709848078965],
    ['123456789012345678.5', Number('123456789012345678.5')],
    ['1.5e16', 1.5e16],
  ])('reads %s', (text, value) => {
    expect(core.parseJson(text)).toEqual(value);
  });

  it('reads a whole number that is far beyond any column’s as JSON does', () => {
    const digits = '9'.repeat(3_900_000);
    expect(core.parseJson(`{"a":[${digits},-${digits}]}`)).toEqual({ a: [Infinity, -Infinity] });
    expect(core.parseJson('1'.padEnd(40, '0'))).toBe(10n ** 39n);
    expect(core.parseJson('-1'.padEnd(42, '0'))).toBe(-1e40);
  });

  it('keeps every digit of a whole number, wherever it stands', () => {
    const number = fc.oneof(
      fc.bigInt({ min: -(10n ** 40n) + 1n, max: 10n ** 40n - 1n }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    );
    const space = fc.stringMatching(/^[ \n\t\r]?$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(space, number), { minLength: 1 }), (items) => {
        const text = `[${items.map(([before, item]) => `${before}${String(item)}`).join(',')}]`;
        const read = core.parseJson(text) as readonly (number | bigint)[];
        items.forEach(([, item], i) => {
          if (typeof item === 'bigint') expect(BigInt(read[i] as number)).toBe(item);
          // As text −0 is 0.
          else expect(Number(read[i])).toBe(item === 0 ? 0 : item);
        });
      }),
    );
  });
});

// Values of a push at the edges of their types.
const float32: core.DataType = { kind: 'float32' };
const vector: core.DataType = { kind: 'vector', size: 2 };
const timestamp: core.DataType = { kind: 'timestamp' };
const bytes: core.DataType = { kind: 'bytes' };

describe('a value at the edge of its type', () => {
  it.each<[core.DataType, unknown, unknown]>([
    [float32, 3.4028234663852886e38, 3.4028234663852886e38],
    [float32, '-Infinity', -Infinity],
    [vector, [1, 'NaN'], Float32Array.from([1, NaN])],
    [timestamp, '2024-01-01T00:00:00+14:00', Date.UTC(2023, 11, 31, 10) * 1000],
    [bytes, 'AA==', Uint8Array.from([0])],
  ])('is taken: %j %j', (type, json, value) => {
    expect(core.parseValue(type, json)).toEqual(value);
  });

  it.each<[string, core.DataType, unknown]>([
    ['a float32 past its range', float32, 1e39],
    ['a whole number past the range of a float32', float32, 10n ** 39n],
    ['a number past the range of a float32 in a list', { kind: 'list', of: float32 }, [1, 1e39]],
    ['a number past the range of a vector', vector, [1e300, 1]],
    ['an offset of more than a day', timestamp, '2024-01-01T00:00+25:00'],
    ['an offset of more than an hour’s minutes', timestamp, '2024-01-01T00:00+01:60'],
    ['base64 with bits left over', bytes, 'AB=='],
    ['base64 with bits left over, of two bytes', bytes, 'AAB='],
  ])('is refused beyond it: %s', (_, type, json) => {
    expect(core.parseValue(type, json)).toBe(core.INVALID);
  });
});

it('tells a number of things, one of them in the singular', () => {
  expect([0, 1, 2].map((n) => core.counted(n, 'record'))).toEqual(['0 records', '1 record', '2 records']);
});

describe('a name that is not known', () => {
  it('is likely one that is at most two slips away, or a third of its letters, whatever its case', () => {
    expect(nearestName('stabel', ['candidate', 'stable'])).toBe('stable');
    expect([nearestName('abc', ['axy']), nearestName('abc', ['xyz'])]).toEqual(['axy', undefined]);
    expect([
      nearestName('a'.repeat(9), ['b'.repeat(3) + 'a'.repeat(6)]),
      nearestName('a'.repeat(9), ['b'.repeat(4) + 'a'.repeat(5)]),
    ]).toEqual(['bbbaaaaaa', undefined]);
    expect(nearestName('STABLE', ['stable'])).toBe('stable');
    expect(nearestName('ab', ['abcd', 'abc', 'abx'])).toBe('abc');
  });

  it('is told with the likely one, or with a few that there are, or that there are none', () => {
    expect(didYouMean('x', ['stable'])).toBe('');
    expect(didYouMeanOf('variants', 'stabel', ['stable'])).toBe(' Did you mean "stable"?');
    expect(didYouMeanOf('variants', 'x', [])).toBe(' There are no variants.');
    const names = Array.from({ length: 9 }, (_, at) => `variant-${at}`);
    expect(didYouMeanOf('variants', 'x', names.slice(0, 8))).toMatch(/^ The variants: variant-0, .*, variant-7\.$/);
    expect(didYouMeanOf('variants', 'x', names)).toMatch(/variant-7 and 1 more\.$/);
  });
});

// What a prediction's id tells of it, to whoever hears of an outcome later.
it('has the revision, the version and the unit’s hash', () => {
  const next = core.createPredictionIds();
  const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 31 }), uint32, (...given) => {
      const [revision, version, unitHash] = given;
      const id = next(core.predictionMark(revision, version), unitHash);
      expect(core.readPredictionId(id)).toEqual({ revision, version, unitHash });
    }),
  );
});

it('is unique within a process, and begins with what no other process has', () => {
  const next = core.createPredictionIds('one');
  const ids = Array.from({ length: 100 }, () => next(core.predictionMark(1, 2), 3));
  expect(new Set(ids).size).toBe(100);
  expect(ids[35]).toBe('one-z.1.2.3');
});

it('begins with no dash, which a command would take for an option', () => {
  // One in 64 random texts does.
  const ids = Array.from({ length: 2000 }, () => core.createPredictionIds()(core.predictionMark(1, 2), 3));
  expect(ids.filter((id) => id.startsWith('-'))).toEqual([]);
});

it('tells nothing where it is of another form', () => {
  const forms = 'abc one-z one-z.1.2 one-z.1.2.3.4 one-z.1.2.zzzzzzz -.1.2.3 a-1.A.2.3'.split(' ');
  for (const id of ['', 'one-z.1.2.3\n', ...forms]) expect(core.readPredictionId(id), id).toBeUndefined();
});
