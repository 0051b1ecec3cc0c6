// Values of a push at the edges of their types.

import { describe, expect, it } from 'vitest';
import { type DataType, INVALID, parseValue } from '../../src/core/index.ts';

const float32: DataType = { kind: 'float32' };
const vector: DataType = { kind: 'vector', size: 2 };
const timestamp: DataType = { kind: 'timestamp' };
const bytes: DataType = { kind: 'bytes' };

describe('a value at the edge of its type', () => {
  it.each<[DataType, unknown, unknown]>([
    [float32, 3.4028234663852886e38, 3.4028234663852886e38],
    [float32, '-Infinity', -Infinity],
    [vector, [1, 'NaN'], Float32Array.from([1, NaN])],
    [timestamp, '2024-01-01T00:00:00+14:00', Date.UTC(2023, 11, 31, 10) * 1000],
    [bytes, 'AA==', Uint8Array.from([0])],
  ])('is taken: %j %j', (type, json, value) => {
    expect(parseValue(type, json)).toEqual(value);
  });

  it.fails.each<[string, DataType, unknown]>([
    ['a float32 past its range', float32, 1e39],
    ['a number past the range of a vector', vector, [1e300, 1]],
    ['an offset of more than a day', timestamp, '2024-01-01T00:00+25:00'],
    ['base64 with bits left over', bytes, 'AB=='],
  ])('is refused beyond it: %s (datapath/L2)', (_, type, json) => {
    expect(parseValue(type, json)).toBe(INVALID);
  });
});
