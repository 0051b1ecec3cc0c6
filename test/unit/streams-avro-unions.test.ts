// Avro unions of several types: the value is that of the branch it was written by.

import avro from 'avsc';
import { describe, expect, it } from 'vitest';
import type { DataType } from '../../src/core/index.ts';
import { avroDecoder } from '../../src/streams/decode/avro.ts';

const ENUM = { type: 'enum', name: 'E', symbols: ['A', 'B'] };

/** Decodes a record whose field `a`, a union, holds `value`: an object with the branch's name. */
async function decoded(union: unknown[], kind: 'int64' | 'float64' | 'string', value: object): Promise<unknown> {
  const schema = { type: 'record', name: 'R', fields: [{ name: 'a', type: union }] };
  const written = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: true }).toBuffer({ a: value });
  const type: DataType = { kind };
  const row = await avroDecoder(schema, { name: 'messages', columns: [{ name: 'a', type }] })(written);
  return row['a'];
}

describe('a union of Avro', () => {
  it.each([
    [['null', 'long'], 'int64', { long: 5 }, 5n],
    [['null', 'string', 'bytes'], 'string', { string: 'x' }, 'x'],
    [['null', 'string', 'long'], 'int64', { long: 7 }, 7n],
  ] as const)('of types that no value is of two of: %j', async (union, kind, value, is) => {
    expect(await decoded([...union], kind, value)).toBe(is);
  });

  it.fails.each([
    [['null', 'float', 'double'], 'float64', { double: 1.5 }, 1.5],
    [['null', 'int', 'string', 'double'], 'float64', { double: 1.5 }, 1.5],
    [['null', ENUM, 'string'], 'string', { E: 'A' }, 'A'],
  ] as const)('of several types of one family: %j (datapath/P-c)', async (union, kind, value, is) => {
    expect(await decoded([...union], kind, value)).toBe(is);
  });
});
