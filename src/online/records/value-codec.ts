// One value as bytes, by its type: the fixed-width ones in place, the others (text, lists, vectors) by length.

import { type DataType, fixedWidth, type Value } from '../../core/index.ts';
import { type ByteWriter, readFloat32, readFloat64, readInt32, readInt64, readText, readUint32 } from './bytes.ts';

export function writeFixed(writer: ByteWriter, type: DataType, value: Value): void {
  switch (type.kind) {
    case 'bool':
      return writer.uint8(value === true ? 1 : 0);
    case 'int32':
      return writer.int32(value as number);
    case 'float32':
      return writer.float32(value as number);
    case 'int64':
      return writer.int64(value as bigint);
    default:
      return writer.float64(value as number);
  }
}

export function readFixed(type: DataType, bytes: Uint8Array, at: number): Value {
  switch (type.kind) {
    case 'bool':
      return bytes[at] === 1;
    case 'int32':
      return readInt32(bytes, at);
    case 'float32':
      return readFloat32(bytes, at);
    case 'int64':
      return readInt64(bytes, at);
    default:
      return readFloat64(bytes, at);
  }
}

/** Writes a value whose width varies; its length is the caller's to keep. */
export function writeVariable(writer: ByteWriter, type: DataType, value: Value): void {
  switch (type.kind) {
    case 'string':
      return writer.text(value as string);
    case 'bytes':
      return writer.raw(value as Uint8Array);
    case 'vector':
      for (const item of value as Float32Array) writer.float32(item);
      return;
    case 'list':
      return writeList(writer, type.of, value as readonly Value[]);
    default:
      return writeFixed(writer, type, value);
  }
}

// A list is its count, then each item: a byte 0 for null, or 1, a length where it varies, and the value.
function writeList(writer: ByteWriter, of: DataType, items: readonly Value[]): void {
  writer.uint32(items.length);
  const isFixed = fixedWidth(of) > 0;
  for (const item of items) {
    writer.uint8(item === null ? 0 : 1);
    if (item === null) continue;
    if (isFixed) {
      writeFixed(writer, of, item);
    } else {
      const lengthAt = writer.length;
      writer.uint32(0);
      writeVariable(writer, of, item);
      writer.patchUint32(lengthAt, writer.length - lengthAt - 4);
    }
  }
}

export function readVariable(type: DataType, bytes: Uint8Array, from: number, to: number): Value {
  switch (type.kind) {
    case 'string':
      return readText(bytes, from, to);
    case 'bytes':
      // A copy, and not of the store's own class of buffer.
      return new Uint8Array(bytes.subarray(from, to));
    case 'vector': {
      const vector = new Float32Array((to - from) >> 2);
      for (let i = 0; i < vector.length; i++) vector[i] = readFloat32(bytes, from + 4 * i);
      return vector;
    }
    case 'list':
      return readList(type.of, bytes, from, to);
    default:
      return readFixed(type, bytes, from);
  }
}

// Each item takes a byte at least: a count that is damaged must not ask for memory.
function readList(of: DataType, bytes: Uint8Array, from: number, to: number): Value[] {
  const count = readUint32(bytes, from);
  if (count > to - from - 4) throw new RangeError('a list has fewer items than it says');
  const items: Value[] = new Array(count);
  const width = fixedWidth(of);
  let at = from + 4;
  for (let i = 0; i < items.length; i++) {
    if (bytes[at++] === 0) {
      items[i] = null;
    } else if (width > 0) {
      items[i] = readFixed(of, bytes, at);
      at += width;
    } else {
      const length = readUint32(bytes, at);
      if (at + 4 + length > to) throw new RangeError('a list ends past its bytes');
      items[i] = readVariable(of, bytes, at + 4, at + 4 + length);
      at += 4 + length;
    }
  }
  return items;
}
