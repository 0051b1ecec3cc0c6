// Values into a block: how many bytes one takes at most, and writing it. What is written is read by `read-value.ts`.

import { type DataType, fixedWidth, type Value } from '../../core/index.ts';
import type { Block } from './record-block.ts';
import { NO_TEXT } from './record-layout.ts';

/** UTF-16 code units become at most this many bytes of UTF-8. */
const BYTES_PER_UNIT = 3;
/** Longer texts are worth a call into the platform. */
const SHORT_TEXT = 40;

/** The most bytes that a value whose width varies takes, its length left out. */
export function mostBytes(type: DataType, value: Value): number {
  switch (type.kind) {
    case 'string':
      return BYTES_PER_UNIT * (value as string).length;
    case 'bytes':
      return (value as Uint8Array).length;
    case 'vector':
      return 4 * (value as Float32Array).length;
    case 'list':
      return listBytes(type.of, value as readonly Value[], mostBytes);
    default:
      return fixedWidth(type);
  }
}

/** The bytes that it really takes. */
export function exactBytes(type: DataType, value: Value): number {
  if (type.kind === 'string') return Buffer.byteLength(value as string);
  return type.kind === 'list' ? listBytes(type.of, value as readonly Value[], exactBytes) : mostBytes(type, value);
}

function listBytes(of: DataType, items: readonly Value[], bytesOf: typeof mostBytes): number {
  let bytes = 4;
  for (const item of items) bytes += itemBytes(of, item, bytesOf);
  return bytes;
}

/** Of a list's item: a byte for null, a length where the width varies, the value. */
export function itemBytes(of: DataType, item: Value, bytesOf: typeof mostBytes): number {
  if (item === null) return 1;
  const width = fixedWidth(of);
  return 1 + (width > 0 ? width : 4 + bytesOf(of, item));
}

/** Of a text and a list the length is written first, in 4 bytes. Gives false where a text was not well-formed. */
export function writeVariable(block: Block, type: DataType, value: Value): boolean {
  switch (type.kind) {
    case 'string':
      return writeText(block, value as string);
    case 'bytes': {
      const bytes = value as Uint8Array;
      writeUint32(block, bytes.length);
      block.bytes.set(bytes, block.used);
      block.used += bytes.length;
      return true;
    }
    case 'vector': {
      const vector = value as Float32Array;
      writeUint32(block, 4 * vector.length);
      for (let i = 0; i < vector.length; i++, block.used += 4)
        block.view.setFloat32(block.used, vector[i] as number, true);
      return true;
    }
    case 'list': {
      const lengthAt = block.used;
      block.used += 4;
      const isWhole = writeItems(block, type.of, value as readonly Value[]);
      block.view.setUint32(lengthAt, block.used - lengthAt - 4, true);
      return isWhole;
    }
    default:
      block.used += writeFixed(block, block.used, type.kind, value);
      return true;
  }
}

// A list is its count, then each item: a byte 0 for null, or 1 and the value.
function writeItems(block: Block, of: DataType, items: readonly Value[]): boolean {
  let isWhole = true;
  writeUint32(block, items.length);
  for (const item of items) {
    block.bytes[block.used++] = item === null ? 0 : 1;
    if (item !== null && !writeVariable(block, of, item)) isWhole = false;
  }
  return isWhole;
}

/** Gives the width. Throws a TypeError for a bigint where a number belongs, and the other way round. */
export function writeFixed({ bytes, view }: Block, at: number, kind: DataType['kind'], value: Value): number {
  switch (kind) {
    case 'bool':
      bytes[at] = value === true ? 1 : 0;
      return 1;
    case 'int32':
      view.setInt32(at, value as number, true);
      return 4;
    case 'float32':
      view.setFloat32(at, value as number, true);
      return 4;
    case 'int64':
      view.setBigInt64(at, value as bigint, true);
      return 8;
    default:
      view.setFloat64(at, value as number, true);
      return 8;
  }
}

export function writeUint32(block: Block, value: number): void {
  block.view.setUint32(block.used, value, true);
  block.used += 4;
}

/** Null is told from the empty text. False where a surrogate stood alone: it is U+FFFD now. */
export function writeText(block: Block, text: string | null): boolean {
  if (text === null) {
    writeUint32(block, NO_TEXT);
    return true;
  }
  const { bytes, view } = block;
  const lengthAt = block.used;
  const from = lengthAt + 4;
  const { length } = text;
  if (length <= SHORT_TEXT) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) break;
      bytes[from + i] = code;
    }
    if (i === length) {
      view.setUint32(lengthAt, length, true);
      block.used = from + length;
      return true;
    }
  }
  const written = bytes.write(text, from);
  view.setUint32(lengthAt, written, true);
  block.used = from + written;
  return written === length || text.isWellFormed();
}
