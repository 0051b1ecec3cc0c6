// Columns of files as declared types: a list as each of its items would be, a text as a push would take it.

import { describe, expect, it } from 'vitest';
import type { DataType } from '../../src/core/index.ts';
import { fromDuck } from '../../src/offline/duckdb/vector-values.ts';
import { castSql } from '../../src/offline/sources/sql-text.ts';
import { TYPES, worldOfAll } from '../support/offline-world.ts';

const world = worldOfAll();

/** What an expression of DuckDB's type `from` is as one of ours. */
async function cast(expression: string, from: string, type: DataType): Promise<unknown> {
  const sql = castSql(`(${expression})::${from}`, from, type);
  if (sql === undefined) return 'refused';
  const read = await world.select(`SELECT ${sql}`).catch(() => undefined);
  return read === undefined ? 'refused' : fromDuck(type, read[0]?.[0] ?? null);
}

/** The same of a list of one item, and what it should be: the list of what the item is. */
async function castBoth(item: string, from: string, type: DataType) {
  const one = await cast(item, from, type);
  return {
    list: await cast(`[${item}]`, `${from}[]`, { kind: 'list', of: type }),
    wanted: one === 'refused' ? one : [one],
  };
}

describe('a list is cast as its items would be', () => {
  it.each([
    ['whole numbers', 'INTEGER', '7', TYPES.int64, [7n]],
    ['fractions as floats', 'DOUBLE', '1.5', TYPES.float64, [1.5]],
    ['text as a bool', 'VARCHAR', "'true'", TYPES.bool, [true]],
  ] as const)('%s', async (_, from, item, type, is) => {
    expect(await castBoth(item, from, type)).toEqual({ list: is, wanted: is });
  });

  it.each([
    ['a fraction as a whole number', 'DOUBLE', '1.5', TYPES.int64],
    ['a float past 2^53 as a whole number', 'DOUBLE', '9007199254740994', TYPES.int64],
    ['a text with a zone as a time', 'VARCHAR', "'2024-01-01 10:00:00+02'", TYPES.timestamp],
    ['a bool as a whole number', 'BOOLEAN', 'true', TYPES.int64],
  ] as const)('%s', async (_, from, item, type) => {
    const { list, wanted } = await castBoth(item, from, type);
    expect(list).toEqual(wanted);
  });

  it('no bool is a number of a vector', async () => {
    expect(await cast('[true]', 'BOOLEAN[]', { kind: 'vector', size: 1 })).toBe('refused');
  });
});

const LIST: DataType = { kind: 'list', of: TYPES.int64 };
const VECTOR: DataType = { kind: 'vector', size: 2 };

describe('a text of a CSV file', () => {
  it.each([
    ['05', TYPES.int64, 5n],
    ['1e3', TYPES.float64, 1000],
    ['-1.0', TYPES.int64, -1n],
    ['NaN', TYPES.float64, NaN],
    ['-Infinity', TYPES.float32, -Infinity],
    ['FALSE', TYPES.bool, false],
    ['2024-01-01T10:00', TYPES.timestamp, Date.UTC(2024, 0, 1, 10) * 1000],
    ['2024-01-01 10:00:00,5 +0200 ', TYPES.timestamp, Date.UTC(2024, 0, 1, 8, 0, 0, 500) * 1000],
    ['2024-01-01T10:00z', TYPES.timestamp, Date.UTC(2024, 0, 1, 10) * 1000],
    ['[1, NULL, 3.0]', LIST, [1n, null, 3n]],
    ['[1, "NaN"]', VECTOR, Float32Array.of(1, NaN)],
    ['2024-01-01T10:00:00+02:00', TYPES.timestamp, Date.UTC(2024, 0, 1, 8) * 1000],
  ] as const)('%j is a value', async (text, type, is) => {
    expect(await cast(`'${text}'`, 'VARCHAR', type)).toEqual(is);
  });

  it.each([
    ['1_000', TYPES.int64],
    ['0b1', TYPES.int64],
    ['1.0000000000000000000001', TYPES.int64],
    ['9007199254740993.0', TYPES.int64],
    ['1e400', TYPES.int64],
    ['9223372036854775808', TYPES.int64],
    ['2147483648', TYPES.int32],
    ['1_0.5', TYPES.float64],
    ['inf', TYPES.float64],
    ['nan', TYPES.float64],
    ['1e39', TYPES.float32],
    ['1', TYPES.bool],
    ['infinity', TYPES.timestamp],
    ['03/04/2024', TYPES.timestamp],
    ['2024-1-1', TYPES.timestamp],
    ['2024-02-30', TYPES.timestamp],
    ['2024-01-01 24:00:00', TYPES.timestamp],
    ['2024-01-01 10:00:00 UTC', TYPES.timestamp],
    ['2024-01-01 10:00:00+25:00', TYPES.timestamp],
    ['0000-12-31', TYPES.timestamp],
    ['10000-01-01', TYPES.timestamp],
    ['9999-12-31T23:59:59-00:01', TYPES.timestamp],
    ['AB==', TYPES.bytes],
    ['[1, 1_000]', LIST],
    ['[1, 2', LIST],
    ['7', LIST],
    ['[1]', VECTOR],
    ['[1, null]', VECTOR],
    ['[1, 1e39]', VECTOR],
    ['0x10', TYPES.int64],
    [' 5', TYPES.int64],
    ['1e400', TYPES.float64],
    ['yes', TYPES.bool],
    ['epoch', TYPES.timestamp],
  ] as const)('that a push would refuse is refused: %j', async (text, type) => {
    expect(await cast(`'${text}'`, 'VARCHAR', type)).toBe('refused');
  });
});
