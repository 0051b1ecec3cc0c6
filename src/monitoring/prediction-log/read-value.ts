// Values out of a payload whose checksum held: the inverse of `write-value.ts`.

import { type DataType, fixedWidth, type Value } from '../../core/index.ts';
import { NO_TEXT } from './record-layout.ts';

/** Goes over the bytes of a payload; throws a RangeError past their end. */
export interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

export function readVariable(cursor: Cursor, type: DataType): Value {
  switch (type.kind) {
    case 'string':
      return readText(cursor);
    case 'bytes': {
      const { from, to } = readSpan(cursor);
      return new Uint8Array(cursor.bytes.subarray(from, to));
    }
    case 'vector': {
      const { from, to } = readSpan(cursor);
      return Float32Array.from({ length: (to - from) >> 2 }, (_, i) => cursor.bytes.readFloatLE(from + 4 * i));
    }
    case 'list': {
      readSpan(cursor, false);
      const count = readUint32(cursor);
      const items: Value[] = [];
      for (let i = 0; i < count; i++) items.push(readByte(cursor) === 0 ? null : readVariable(cursor, type.of));
      return items;
    }
    default: {
      const value = readFixed(cursor.bytes, cursor.at, type.kind);
      cursor.at += fixedWidth(type);
      return value;
    }
  }
}

export function readFixed(bytes: Buffer, at: number, kind: DataType['kind']): Value {
  switch (kind) {
    case 'bool':
      return bytes.readUInt8(at) === 1;
    case 'int32':
      return bytes.readInt32LE(at);
    case 'float32':
      return bytes.readFloatLE(at);
    case 'int64':
      return bytes.readBigInt64LE(at);
    default:
      return bytes.readDoubleLE(at);
  }
}

export function readText(cursor: Cursor): string | null {
  if (cursor.bytes.readUInt32LE(cursor.at) === NO_TEXT) {
    cursor.at += 4;
    return null;
  }
  const { from, to } = readSpan(cursor);
  return cursor.bytes.toString('utf8', from, to);
}

export function readUint32(cursor: Cursor): number {
  const value = cursor.bytes.readUInt32LE(cursor.at);
  cursor.at += 4;
  return value;
}

export function readByte(cursor: Cursor): number {
  return cursor.bytes.readUInt8(cursor.at++);
}

function readSpan(cursor: Cursor, isTaken = true): { from: number; to: number } {
  const length = readUint32(cursor);
  const from = cursor.at;
  const to = from + length;
  if (to > cursor.bytes.length) throw new RangeError('a value passes the end of its record');
  if (isTaken) cursor.at = to;
  return { from, to };
}
