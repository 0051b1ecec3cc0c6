import { describe, expect, it } from 'vitest';
import {
  canonicalJson,
  compareValues,
  type DataType,
  describe as describeValue,
  describeMistake,
  type Field,
  HeadraceError,
  INVALID,
  parseJson,
  parseRows,
  parseValue,
  stringifyJson,
  toJson,
} from '../../src/core/index.ts';

function errorOf(work: () => unknown): HeadraceError {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof HeadraceError) return thrown;
  }
  throw new Error('nothing was thrown');
}

const int32: DataType = { kind: 'int32' };
const int64: DataType = { kind: 'int64' };
const float64: DataType = { kind: 'float64' };

describe('JSON', () => {
  it('keeps all digits of whole numbers beyond 2^53, both ways', () => {
    const text = '{"a":9007199254740993,"b":[-9223372036854775808],"c":1.5,"d":9007199254740991}';
    const parsed = parseJson(text);
    expect(parsed).toEqual({ a: 9007199254740993n, b: [-9223372036854775808n], c: 1.5, d: 9007199254740991 });
    expect(stringifyJson(parsed)).toBe(text);
  });

  it('leaves digits inside strings alone', () => {
    expect(parseJson('{"id":"9007199254740993"}')).toEqual({ id: '9007199254740993' });
  });

  it('has one canonical text whatever the order of keys', () => {
    expect(canonicalJson({ b: 1, a: { d: undefined, c: [2, { z: 1, y: 2 }] } })).toBe(
      '{"a":{"c":[2,{"y":2,"z":1}]},"b":1}',
    );
  });
});

describe('reading a JSON value as a type', () => {
  it.each<[DataType, unknown]>([
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
    [{ kind: 'timestamp' }, '9999-12-31T00:00:00Z'],
    [{ kind: 'list', of: { kind: 'timestamp' } }, ['2026-01-01', '2300-01-01']],
    [{ kind: 'list', of: int32 }, [1, 'a']],
    [{ kind: 'vector', size: 2 }, [1]],
  ])('refuses for %o the value %o', (type, json) => {
    expect(parseValue(type, json)).toBe(INVALID);
  });

  it.each<[DataType, unknown, unknown]>([
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
    expect(parseValue(type, json)).toEqual(value);
  });

  it('writes back what it read', () => {
    expect(toJson(float64, NaN)).toBe('NaN');
    expect(toJson({ kind: 'timestamp' }, 1)).toBe('1970-01-01T00:00:00.000001Z');
    expect(toJson({ kind: 'bytes' }, Uint8Array.of(1, 2))).toBe('AQI=');
    expect(stringifyJson(toJson({ kind: 'list', of: int64 }, [2n ** 62n]))).toBe('[4611686018427387904]');
  });

  it('says how far times go where one is past that, in lists too', () => {
    const at: DataType = { kind: 'timestamp' };
    const fields = ['at', 'times', 'bad'].map((name) => ({
      name,
      type: name === 'times' ? { kind: 'list', of: at } : at,
    }));
    const row = { at: '9999-12-31T00:00:00Z', times: ['2026-01-01', '2300-01-01'], bad: 'soon' };
    const range = 'times go from 1684-07-28T00:12:25.259009Z to 2255-06-05T23:47:34.740991Z';
    expect(() => parseRows(fields as Field[], [row])).toThrow(
      `rows[0].at: expected timestamp, got string "9999-12-31T00:00:00Z": ${range} (and 2 more)`,
    );
    const { details } = errorOf(() => parseRows(fields as Field[], [row]));
    expect(details.map(({ message }) => message)).toEqual([
      `expected timestamp, got string "9999-12-31T00:00:00Z": ${range}`,
      `expected list(timestamp), got an array of 2: ${range}`,
      'expected timestamp, got string "soon"',
    ]);
  });

  it('names every wrong row and column at once', () => {
    const fields = [
      { name: 'n', type: int32 },
      { name: 's', type: { kind: 'string' } as const },
    ];
    try {
      parseRows(fields, [{ n: 1, s: 'a' }, { n: 'x', s: 2 }, 7], 'inputs');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(HeadraceError);
      expect((error as HeadraceError).details).toEqual([
        { path: 'inputs[1].n', message: 'expected int32, got string "x"' },
        { path: 'inputs[1].s', message: 'expected string, got number 2' },
        { path: 'inputs[2]', message: 'expected an object, got number 7' },
      ]);
    }
  });
});

describe('what is said of a value that came', () => {
  it('is short, however long the value is', () => {
    for (const long of ['x'.repeat(4e6), '\n'.repeat(4e6), parseJson('9'.repeat(4e6))]) {
      expect(describeValue(long).length).toBeLessThan(60);
      for (const type of [int32, int64, { kind: 'bool' }, { kind: 'timestamp' }] as const)
        expect(describeMistake(type, long).length).toBeLessThan(100);
    }
  });
});

describe('the order of values', () => {
  it('is total: null, then by value, NaN last', () => {
    const sorted = [null, -Infinity, -1, -0, 0, 1, Infinity, NaN];
    expect([NaN, 0, null, 1, -0, -1, Infinity, -Infinity].sort(compareValues)).toEqual(sorted);
    expect(['b', 'é', 'a', ''].sort(compareValues)).toEqual(['', 'a', 'b', 'é']);
    expect([[1, 2], [1], [0, 9]].sort(compareValues)).toEqual([[0, 9], [1], [1, 2]]);
    expect([2n ** 60n, -1n, null].sort(compareValues)).toEqual([null, -1n, 2n ** 60n]);
  });
});
