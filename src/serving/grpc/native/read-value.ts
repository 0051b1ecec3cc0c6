// headrace.v1.Value → what it says, and that as a value of a column's type. A number is taken by any type that holds it exactly, or
// as a float; nothing else is turned into another kind.

import {
  type DataType,
  describe,
  FIRST_TIME,
  INVALID,
  LAST_TIME,
  type Micros,
  MICROS_PER_SECOND,
  parseTime,
  toFloat32,
  timeOfMicros,
  typeName,
  type Value,
} from '../../../core/index.ts';
import { DELIMITED, FIXED32, FIXED64, malformed, VARINT, type WireReader } from '../wire/wire-reader.ts';
import { ITEMS, KIND, NANOS, SECONDS } from './value-fields.ts';

/** A timestamp, which is no number. */
export class SentTime {
  /** Its value; undefined before the year 1 and after the year 9999. */
  readonly time: number | undefined;

  constructor(time: number | undefined) {
    this.time = time;
  }

  /** Undefined: too far to reckon with, as an event time or a known time is. */
  get micros(): Micros | undefined {
    return Number.isSafeInteger(this.time) ? this.time : undefined;
  }
}

/** What a Value says: an int64 is a bigint, any other number a number. */
export type SentValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | SentTime
  | Float32Array
  | readonly SentValue[];

/** Lists within lists: each takes a frame of the stack. No column's type is as deep. */
const DEEPEST = 16;

/** Of the message that the reader is in, to its end. Of several kinds the last one counts, as everywhere. */
export function readValue(reader: WireReader, depth = 0): SentValue {
  let value: SentValue = null;
  while (reader.next()) {
    switch (reader.field * 8 + reader.wire) {
      case KIND.null * 8 + VARINT:
        reader.int32();
        value = null;
        break;
      case KIND.bool * 8 + VARINT:
        value = reader.bool();
        break;
      case KIND.int64 * 8 + VARINT:
        value = reader.int64();
        break;
      case KIND.double * 8 + FIXED64:
        value = reader.double();
        break;
      case KIND.string * 8 + DELIMITED:
        value = reader.text();
        break;
      case KIND.bytes * 8 + DELIMITED:
        value = new Uint8Array(reader.view());
        break;
      case KIND.timestamp * 8 + DELIMITED:
        value = readTimestamp(reader);
        break;
      case KIND.list * 8 + DELIMITED:
        value = readList(reader, depth + 1);
        break;
      case KIND.vector * 8 + DELIMITED:
        value = readVector(reader);
        break;
      default:
        reader.skip();
    }
  }
  return value;
}

const MOST_NANOS = 999_999_999;

/** The message that is the field's value. */
export function readTimestamp(reader: WireReader): SentTime {
  const outer = reader.enter();
  let seconds = 0n;
  let nanos = 0;
  while (reader.next()) {
    if (reader.is(SECONDS, VARINT)) seconds = reader.int64();
    else if (reader.is(NANOS, VARINT)) nanos = reader.int32();
    else reader.skip();
  }
  reader.leave(outer);
  if (nanos < 0 || nanos > MOST_NANOS) throw malformed(`a timestamp has ${nanos} nanos`);
  return new SentTime(timeOfMicros(seconds * BigInt(MICROS_PER_SECOND) + BigInt(Math.floor(nanos / 1000))));
}

function readList(reader: WireReader, depth: number): SentValue[] {
  if (depth > DEEPEST) throw malformed('its lists are too deep');
  const outer = reader.enter();
  const items: SentValue[] = [];
  while (reader.next()) {
    if (!reader.is(ITEMS, DELIMITED)) {
      reader.skip();
      continue;
    }
    const list = reader.enter();
    items.push(readValue(reader, depth));
    reader.leave(list);
  }
  reader.leave(outer);
  return items;
}

function readVector(reader: WireReader): Float32Array {
  const outer = reader.enter();
  const items: number[] = [];
  while (reader.next()) {
    if (reader.field !== ITEMS || (reader.wire !== FIXED32 && reader.wire !== DELIMITED)) reader.skip();
    else reader.each(FIXED32, () => items.push(reader.float()));
  }
  reader.leave(outer);
  return Float32Array.from(items);
}

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** INVALID where it is none of the type; null is null. */
export function asType(type: DataType, sent: SentValue): Value | typeof INVALID {
  if (sent === null) return null;
  switch (type.kind) {
    case 'bool':
      return typeof sent === 'boolean' ? sent : INVALID;
    case 'int32': {
      const value = typeof sent === 'bigint' ? Number(sent) : sent;
      return typeof value === 'number' && Number.isInteger(value) && value >= INT32_MIN && value <= INT32_MAX
        ? value
        : INVALID;
    }
    case 'int64':
      if (typeof sent === 'bigint') return sent;
      return typeof sent === 'number' && Number.isSafeInteger(sent) ? BigInt(sent) : INVALID;
    case 'float32':
      return typeof sent === 'number' || typeof sent === 'bigint' ? toFloat32(Number(sent)) : INVALID;
    case 'float64':
      return typeof sent === 'number' || typeof sent === 'bigint' ? Number(sent) : INVALID;
    case 'string':
      return typeof sent === 'string' ? sent : INVALID;
    case 'bytes':
      return sent instanceof Uint8Array ? sent : INVALID;
    case 'timestamp':
      if (sent instanceof SentTime) return sent.time ?? INVALID;
      return typeof sent === 'string' ? (parseTime(sent) ?? INVALID) : INVALID;
    case 'vector':
      return sent instanceof Float32Array && sent.length === type.size ? sent : INVALID;
    case 'list': {
      if (!Array.isArray(sent)) return INVALID;
      const items = (sent as readonly SentValue[]).map((item) => asType(type.of, item));
      return items.includes(INVALID) ? INVALID : (items as Value[]);
    }
  }
}

/** The sentence about a value that is none of `type`: what was expected, and what came. */
export function describeMisfit(type: DataType, sent: SentValue): string {
  const far =
    sent instanceof SentTime && sent.time === undefined ? `: times go from ${FIRST_TIME} to ${LAST_TIME}` : '';
  return `expected ${typeName(type)}, got ${describeSent(sent)}${far}`;
}

export function describeSent(sent: SentValue): string {
  if (sent instanceof SentTime) return 'a timestamp';
  if (sent instanceof Float32Array) return `a vector of ${sent.length}`;
  if (sent instanceof Uint8Array) return `bytes (${sent.length})`;
  if (typeof sent === 'object' && sent !== null) return `a list of ${sent.length}`;
  return describe(sent);
}
