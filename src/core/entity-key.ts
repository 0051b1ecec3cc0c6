// Entity keys as bytes: equality and order are exact, and no two different keys share an encoding,
// whatever their types or text: (1, 12) is not (11, 2), '1' is not 1.

import type { DataType, Value } from './data-type.ts';
import { microsOfTime, timeOfMicros } from './time.ts';

declare const encodedKey: unique symbol;

/** An entity's key values, encoded: compare and look up by these bytes. */
export type EncodedKey = Uint8Array & { readonly [encodedKey]: true };

const SHORT_TEXT = 60;
const TAG = { bool: 1, int: 2, float: 3, string: 4, bytes: 5, timestamp: 6 } as const;

/** Whether a type can be part of an entity's key. */
export function isKeyType(type: DataType): boolean {
  return type.kind !== 'list' && type.kind !== 'vector';
}

/**
 * Encodes key values of the given types, in the entity's order; undefined when one is null: a null key matches nothing.
 * int32 and int64 encode alike; −0 is 0 and every NaN is one.
 */
export function encodeKey(types: readonly DataType[], values: readonly Value[]): EncodedKey | undefined {
  const [type] = types;
  if (type !== undefined && types.length === 1) return encodeSingleKey(type, values[0] ?? null);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < types.length; i++) {
    const value = values[i];
    if (value === null || value === undefined) return undefined;
    parts.push(encodePart((types[i] as DataType).kind, value));
  }
  // Branding: these bytes come from the encoding above.
  return Buffer.concat(parts) as unknown as EncodedKey;
}

/** The key of an entity with one key column. */
export function encodeSingleKey({ kind }: DataType, value: Value): EncodedKey | undefined {
  // Branding: as above.
  return value === null ? undefined : (encodePart(kind, value) as EncodedKey);
}

/** One non-null value of a kind that can be part of a key: no encoding is the start of another of its kind. */
export function encodePart(kind: DataType['kind'], value: Value): Uint8Array {
  switch (kind) {
    case 'bool':
      return Uint8Array.of(TAG.bool, value === true ? 1 : 0);
    case 'int32':
    case 'int64':
      return encodeInteger(TAG.int, BigInt(value as number | bigint));
    case 'timestamp':
      return encodeInteger(TAG.timestamp, microsOfTime(value as number));
    case 'float32':
    case 'float64':
      return encodeFloat(value as number);
    case 'string':
      return encodeText(value as string);
    default:
      return escapeBytes(TAG.bytes, value as Uint8Array);
  }
}

/** The values of a key of the given types, as `encodeKey` took them: but −0 is 0. */
export function decodeKey(types: readonly DataType[], key: EncodedKey): Value[] {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  let at = 0;
  return types.map(({ kind }): Value => {
    const from = at + 1;
    switch (kind) {
      case 'bool':
        at += 2;
        return bytes[from] === 1;
      case 'int32':
      case 'int64':
      case 'timestamp': {
        at += 9;
        const value = BigInt.asIntN(64, bytes.readBigUInt64BE(from) ^ (1n << 63n));
        if (kind === 'timestamp') return timeOfMicros(value) ?? null;
        return kind === 'int64' ? value : Number(value);
      }
      case 'float32':
      case 'float64':
        at += 9;
        return decodeFloat(bytes, from);
      default: {
        const content: number[] = [];
        for (at++; bytes[at] !== 0 || bytes[at + 1] !== 0; at++) {
          content.push(bytes[at] as number);
          if (bytes[at] === 0) at++;
        }
        at += 2;
        return kind === 'string' ? Buffer.from(content).toString() : Uint8Array.from(content);
      }
    }
  });
}

// Big-endian with the sign bit flipped: byte order is number order.
function encodeInteger(tag: number, value: bigint): Uint8Array {
  const bytes = Buffer.allocUnsafe(9);
  bytes[0] = tag;
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value) ^ (1n << 63n), 1);
  return bytes;
}

// A positive double's bits grow with it; a negative one's shrink: flip the sign bit, or all bits.
function encodeFloat(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(9);
  bytes[0] = TAG.float;
  bytes.writeDoubleBE(value === 0 ? 0 : Number.isNaN(value) ? NaN : value, 1);
  if (((bytes[1] as number) & 0x80) === 0) bytes[1] = (bytes[1] as number) | 0x80;
  else for (let i = 1; i < 9; i++) bytes[i] = ~(bytes[i] as number) & 0xff;
  return bytes;
}

function decodeFloat(bytes: Buffer, at: number): number {
  const bits = Buffer.from(bytes.subarray(at, at + 8));
  if (((bits[0] as number) & 0x80) !== 0) bits[0] = (bits[0] as number) & 0x7f;
  else for (let i = 0; i < 8; i++) bits[i] = ~(bits[i] as number) & 0xff;
  return bits.readDoubleBE();
}

// Most keys are short ASCII, which goes quicker character by character.
function encodeText(text: string): Uint8Array {
  const { length } = text;
  if (length > SHORT_TEXT) return escapeBytes(TAG.string, Buffer.from(text));
  const bytes = new Uint8Array(length + 3);
  bytes[0] = TAG.string;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 127) return escapeBytes(TAG.string, Buffer.from(text));
    bytes[i + 1] = code;
  }
  return bytes;
}

// Zero bytes are escaped as 0 255 and the end is 0 0, so a prefix sorts before its extensions.
function escapeBytes(tag: number, content: Uint8Array): Uint8Array {
  let zeros = 0;
  for (const byte of content) if (byte === 0) zeros++;
  const bytes = Buffer.allocUnsafe(content.length + zeros + 3);
  let at = 0;
  bytes[at++] = tag;
  for (const byte of content) {
    bytes[at++] = byte;
    if (byte === 0) bytes[at++] = 255;
  }
  bytes[at++] = 0;
  bytes[at] = 0;
  return bytes;
}
