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

  it.fails.each([
    ['a fraction as a whole number', 'DOUBLE', '1.5', TYPES.int64],
    ['a float past 2^53 as a whole number', 'DOUBLE', '9007199254740994', TYPES.int64],
    ['a text with a zone as a time', 'VARCHAR', "'2024-01-01 10:00:00+02'", TYPES.timestamp],
    ['a bool as a whole number', 'BOOLEAN', 'true', TYPES.int64],
  ] as const)('%s (datapath/L1)', async (_, from, item, type) => {
    const { list, wanted } = await castBoth(item, from, type);
    expect(list).toEqual(wanted);
  });

  it.fails('no bool is a number of a vector (datapath/L1)', async () => {
    expect(await cast('[true]', 'BOOLEAN[]', { kind: 'vector', size: 1 })).toBe('refused');
  });
});

describe('a text of a CSV file', () => {
  it.each([
    ['05', TYPES.int64, 5n],
    ['1e3', TYPES.float64, 1000],
    ['FALSE', TYPES.bool, false],
    ['2024-01-01T10:00:00+02:00', TYPES.timestamp, Date.UTC(2024, 0, 1, 8) * 1000],
  ] as const)('%j is a value', async (text, type, is) => {
    expect(await cast(`'${text}'`, 'VARCHAR', type)).toBe(is);
  });

  it.fails.each([
    ['1_000', TYPES.int64],
    ['0x10', TYPES.int64],
    [' 5', TYPES.int64],
    ['1e400', TYPES.float64],
    ['yes', TYPES.bool],
    ['epoch', TYPES.timestamp],
  ] as const)('that a push would refuse is refused: %j (datapath/D11)', async (text, type) => {
    expect(await cast(`'${text}'`, 'VARCHAR', type)).toBe('refused');
  });
});
