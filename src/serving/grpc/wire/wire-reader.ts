// Protobuf's wire format (https://protobuf.dev/programming-guides/encoding/) read field by field, without believing what a length
// says: whatever comes is a value or HR_MALFORMED_PROTOBUF.

import { isUtf8 } from 'node:buffer';
import { HeadraceError } from '../../../core/index.ts';

/** How a field's value is written. */
export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
const START_GROUP = 3;
const END_GROUP = 4;
export const FIXED32 = 5;

/** Groups within groups that are skipped: each takes a frame of the stack. */
const DEEPEST_GROUP = 64;
const LAST_ASCII = 127;

export function malformed(what: string): HeadraceError {
  return new HeadraceError('HR_MALFORMED_PROTOBUF', `the message is cut, or none of its type: ${what}.`);
}

/** Reads one message after another of the same bytes; a nested one is entered and left. */
export class WireReader {
  readonly bytes: Buffer;
  at: number;
  end: number;
  /** Of the field that `next` has come to. */
  field = 0;
  wire = 0;

  constructor(bytes: Buffer, from = 0, to = bytes.length) {
    this.bytes = bytes;
    this.at = from;
    this.end = to;
  }

  /** Comes to the next field of the message; false at its end. Its value is to be read, or skipped, before the next call. */
  next(): boolean {
    if (this.at === this.end) return false;
    const tag = this.#varint32();
    this.field = tag >>> 3;
    this.wire = tag & 7;
    if (this.field === 0) throw malformed('a field has the number 0');
    return true;
  }

  /** Whether the field's value is of this kind; one of another kind is a field that is not known. */
  is(field: number, wire: number): boolean {
    return this.field === field && this.wire === wire;
  }

  skip(): void {
    this.#skip(0);
  }

  bool(): boolean {
    const low = this.#low();
    return low !== 0 || this.#high !== 0;
  }

  /** The low 32 bits, signed: as an int32 and an enum are read. */
  int32(): number {
    return this.#low() | 0;
  }

  uint32(): number {
    return this.#low() >>> 0;
  }

  int64(): bigint {
    const low = this.#low();
    const high = this.#high;
    if (high === 0) return BigInt(low);
    return (BigInt(high | 0) << 32n) | BigInt(low);
  }

  uint64(): bigint {
    const low = this.#low();
    return (BigInt(this.#high) << 32n) | BigInt(low);
  }

  float(): number {
    const at = this.#take(4);
    return this.bytes.readFloatLE(at);
  }

  double(): number {
    const at = this.#take(8);
    return this.bytes.readDoubleLE(at);
  }

  /** Where the bytes begin; they end at `at` afterwards. */
  delimited(): number {
    const length = this.#varint32();
    return this.#take(length);
  }

  /** Not a copy. */
  view(): Buffer {
    const from = this.delimited();
    return this.bytes.subarray(from, this.at);
  }

  text(): string {
    const from = this.delimited();
    return this.textOf(from, this.at);
  }

  textOf(from: number, to: number): string {
    const { bytes } = this;
    for (let at = from; at < to; at++) {
      if ((bytes[at] as number) <= LAST_ASCII) continue;
      if (!isUtf8(bytes.subarray(from, to))) throw malformed('a text is not UTF-8');
      return bytes.toString('utf8', from, to);
    }
    return bytes.toString('latin1', from, to);
  }

  /** Goes into the message that is the field's value; `leave` takes what this gives. */
  enter(): number {
    const from = this.delimited();
    const outer = this.end;
    this.end = this.at;
    this.at = from;
    return outer;
  }

  leave(outer: number): void {
    this.at = this.end;
    this.end = outer;
  }

  /** Of a repeated field of numbers, packed or not: `read` is called for each. */
  each(wire: number, read: () => void): void {
    if (this.wire !== DELIMITED || wire === DELIMITED) return read();
    const outer = this.enter();
    while (this.at < this.end) read();
    this.leave(outer);
  }

  #skip(depth: number): void {
    switch (this.wire) {
      case VARINT:
        this.#low();
        return;
      case FIXED64:
        this.#take(8);
        return;
      case DELIMITED:
        this.delimited();
        return;
      case FIXED32:
        this.#take(4);
        return;
      case START_GROUP: {
        if (depth === DEEPEST_GROUP) throw malformed('its groups are too deep');
        const { field } = this;
        while (this.next()) {
          const kind: number = this.wire;
          if (kind !== END_GROUP) this.#skip(depth + 1);
          else if (this.field === field) return;
          else break;
        }
        throw malformed('a group has no end');
      }
      default:
        throw malformed(`a field has the wire type ${this.wire}`);
    }
  }

  #take(length: number): number {
    const from = this.at;
    if (length > this.end - from) throw malformed('a value goes past its end');
    this.at = from + length;
    return from;
  }

  #high = 0;

  #varint32(): number {
    const low = this.#low();
    if (this.#high !== 0) throw malformed('a length or a tag is past 32 bits');
    return low;
  }

  /** A varint's low 32 bits, unsigned; the others are in `#high`. Bits past the 64th are cut, as everywhere. */
  #low(): number {
    const { bytes, end } = this;
    let { at } = this;
    let byte: number;
    if (at >= end) throw malformed('a value goes past its end');
    byte = bytes[at++] as number;
    this.#high = 0;
    if (byte < 128) {
      this.at = at;
      return byte;
    }
    let low = byte & 127;
    let high = 0;
    for (let shift = 7; shift < 70; shift += 7) {
      if (at >= end) throw malformed('a value goes past its end');
      byte = bytes[at++] as number;
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 128) {
        this.at = at;
        this.#high = high >>> 0;
        return low >>> 0;
      }
    }
    throw malformed('a number has more than ten bytes');
  }
}
