// Bytes written and read front to back: the little that tile states need to be stored.

import type { DataType, Value } from '../core/index.ts';

export interface ByteWriter {
  bytes: Buffer;
  length: number;
}

export interface ByteReader {
  readonly bytes: Buffer;
  offset: number;
}

export function createWriter(capacity = 256): ByteWriter {
  return { bytes: Buffer.allocUnsafe(capacity), length: 0 };
}

/** Makes room for `more` bytes and gives the offset at which they start. */
export function reserve(out: ByteWriter, more: number): number {
  const at = out.length;
  if (at + more > out.bytes.length) {
    const grown = Buffer.allocUnsafe(Math.max(out.bytes.length * 2, at + more));
    out.bytes.copy(grown, 0, 0, at);
    out.bytes = grown;
  }
  out.length = at + more;
  return at;
}

export function createReader(bytes: Uint8Array, offset: number): ByteReader {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes: buffer, offset };
}

/** A whole number from 0 to 2^53 − 1 in 1 to 8 bytes (LEB128). */
export function writeCount(out: ByteWriter, value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    writeByte(out, (rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  writeByte(out, rest);
}

export function readCount(from: ByteReader): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = readByte(from);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 0x80;
  }
}

export function writeByte(out: ByteWriter, value: number): void {
  const at = reserve(out, 1);
  out.bytes[at] = value;
}

export function readByte(from: ByteReader): number {
  return from.bytes.readUInt8(from.offset++);
}

export function writeDouble(out: ByteWriter, value: number): void {
  const at = reserve(out, 8);
  out.bytes.writeDoubleLE(value, at);
}

export function readDouble(from: ByteReader): number {
  const value = from.bytes.readDoubleLE(from.offset);
  from.offset += 8;
  return value;
}

export function writeBlock(out: ByteWriter, bytes: Uint8Array): void {
  writeCount(out, bytes.length);
  const at = reserve(out, bytes.length);
  out.bytes.set(bytes, at);
}

/** A copy: it outlives the bytes it came from. */
export function readBlock(from: ByteReader): Uint8Array {
  const length = readCount(from);
  // A truncated block must not read as a shorter one.
  if (from.offset + length > from.bytes.length) throw new RangeError('a block ends past its bytes');
  const block = Uint8Array.from(from.bytes.subarray(from.offset, from.offset + length));
  from.offset += length;
  return block;
}

/** Writes a value of `type`, null included. */
export function writeValue(out: ByteWriter, type: DataType, value: Value): void {
  writeByte(out, value === null ? 0 : 1);
  if (value === null) return;
  // The casts below hold because the value is one of `type`.
  switch (type.kind) {
    case 'bool':
      return writeByte(out, value === true ? 1 : 0);
    case 'int64': {
      const at = reserve(out, 8);
      out.bytes.writeBigInt64LE(value as bigint, at);
      return;
    }
    case 'string':
      return writeBlock(out, Buffer.from(value as string));
    case 'bytes':
      return writeBlock(out, value as Uint8Array);
    case 'list':
      writeCount(out, (value as readonly Value[]).length);
      for (const item of value as readonly Value[]) writeValue(out, type.of, item);
      return;
    case 'vector':
      writeCount(out, (value as Float32Array).length);
      for (const item of value as Float32Array) writeDouble(out, item);
      return;
    default:
      writeDouble(out, value as number);
  }
}

export function readValue(from: ByteReader, type: DataType): Value {
  if (readByte(from) === 0) return null;
  switch (type.kind) {
    case 'bool':
      return readByte(from) === 1;
    case 'int64': {
      const value = from.bytes.readBigInt64LE(from.offset);
      from.offset += 8;
      return value;
    }
    case 'string':
      return Buffer.from(readBlock(from)).toString();
    case 'bytes':
      return readBlock(from);
    case 'list':
      return Array.from({ length: readCount(from) }, () => readValue(from, type.of));
    case 'vector':
      return Float32Array.from({ length: readCount(from) }, () => readDouble(from));
    default:
      return readDouble(from);
  }
}
