// Entity keys in bulk, from a chunk's vectors to the bytes of `encodeKey`. A key of one text or integer column, which is
// what most entities have, is encoded into memory shared by the chunk; any other goes value by value.

import type { DuckDBBlobVector, DuckDBDataChunk } from '@duckdb/node-api';
import { type DataType, type EncodedKey, encodeKey, type Value } from '../../core/index.ts';
import { numbersOf, readerOf, type ValueReader } from '../duckdb/vector-values.ts';
import { streamedType } from './fact-sql.ts';

/** Keys of all rows of a chunk whose columns from `first` on are the key's, as `streamedKey` has them; none is null. */
export type KeyReader = (chunk: DuckDBDataChunk, first: number) => readonly EncodedKey[];

export function createKeyReader(types: readonly DataType[]): KeyReader {
  const [only] = types;
  if (types.length === 1 && only?.kind === 'string') return textKeys(only);
  if (types.length === 1 && only?.kind === 'int32') return int32Keys(only);
  return (chunk, first) => {
    const parts = types.map((type, i) => keyPart(chunk, first + i, type));
    return Array.from({ length: chunk.rowCount }, (_, row) => {
      // No part is null, so there is a key.
      return encodeKey(
        types,
        parts.map((read) => read(row)),
      ) as EncodedKey;
    });
  };
}

function keyPart(chunk: DuckDBDataChunk, column: number, type: DataType): ValueReader {
  const vector = chunk.getColumnVector(column);
  if (type.kind !== 'string') return readerOf(vector, streamedType(type));
  // As `streamedKey` selects it.
  const blobs = vector as DuckDBBlobVector;
  return (row): Value => Buffer.from(blobs.getItemBytes(row) as Uint8Array).toString('utf8');
}

// A text's encoding is a tag, its bytes with zero bytes escaped, and an end: taken from the encoding of a sample.
function textKeys(type: DataType): KeyReader {
  const sample = encodeKey([type], ['a']) as EncodedKey;
  const tag = sample[0] as number;
  const end = sample.subarray(2);
  return (chunk, first) => {
    const texts = chunk.getColumnVector(first) as DuckDBBlobVector;
    const keys: EncodedKey[] = [];
    let arena = Buffer.allocUnsafeSlow(chunk.rowCount * 24);
    let at = 0;
    for (let row = 0; row < chunk.rowCount; row++) {
      const text = texts.getItemBytes(row) as Uint8Array;
      const { length } = text;
      if (at + length + 1 + end.length > arena.length) {
        arena = Buffer.allocUnsafeSlow(Math.max(arena.length, length + 1 + end.length));
        at = 0;
      }
      const from = at;
      arena[at++] = tag;
      let hasZero = false;
      for (let i = 0; i < length; i++) {
        const byte = text[i] as number;
        if (byte === 0) hasZero = true;
        arena[at++] = byte;
      }
      for (let i = 0; i < end.length; i++) arena[at++] = end[i] as number;
      keys.push(
        hasZero
          ? (encodeKey([type], [Buffer.from(text).toString('utf8')]) as EncodedKey)
          : // Branding: these are the bytes that encodeKey gives, as the tests hold.
            (arena.subarray(from, at) as unknown as EncodedKey),
      );
    }
    return keys;
  };
}

function int32Keys(type: DataType): KeyReader {
  const sample = encodeKey([type], [0]) as EncodedKey;
  return (chunk, first) => {
    const numbers = numbersOf<Int32Array>(chunk.getColumnVector(first));
    const { length } = sample;
    const arena = Buffer.allocUnsafeSlow(chunk.rowCount * length);
    return Array.from({ length: chunk.rowCount }, (_, row) => {
      const from = row * length;
      const value = numbers[row] as number;
      arena.set(sample, from);
      // Big-endian, and below zero the sign is carried on above the low four bytes.
      if (value < 0) arena.writeUInt32BE(0x7fffffff, from + 1);
      arena.writeInt32BE(value, from + 5);
      return arena.subarray(from, from + length) as unknown as EncodedKey;
    });
  };
}
