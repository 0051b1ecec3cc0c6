// Protobuf messages as bytes in one growing piece of memory that is used again for every answer. What is taken begins with the five
// bytes that gRPC has before each message.

import { DELIMITED, FIXED32, FIXED64, VARINT } from './wire-reader.ts';

const SMALLEST_BYTES = 16 * 1024;
/** An answer that grew past it does not keep its memory. */
const LARGEST_KEPT_BYTES = 4 * 1024 * 1024;
/** A flag, and the length as 32 bits. */
export const PREFIX_BYTES = 5;
const LONGEST_VARINT = 10;
const LAST_SHORT = 127;
const LAST_SAFE_HIGH = 2 ** 21;

/** Not shared: one call writes a whole answer and takes it. */
export class WireWriter {
  length = PREFIX_BYTES;
  #bytes: Buffer = Buffer.allocUnsafeSlow(SMALLEST_BYTES);

  /** A message within the message; gives what `end` takes. */
  begin(field: number): number {
    this.#tag(field, DELIMITED);
    return this.length++;
  }

  /** Most messages are short: one byte was left for the length, and a longer one is moved. */
  end(place: number): void {
    const from = place + 1;
    const size = this.length - from;
    if (size <= LAST_SHORT) {
      this.#bytes[place] = size;
      return;
    }
    const more = varintBytes(size) - 1;
    this.#reserve(more);
    this.#bytes.copyWithin(from + more, from, this.length);
    this.length = place;
    this.#varint(size);
    this.length += size;
  }

  bool(field: number, value: boolean): void {
    this.#tag(field, VARINT);
    this.#bytes[this.length++] = value ? 1 : 0;
  }

  /** A whole number from −2⁵³ to 2⁵³, as an int32, an int64 or an enum has it. */
  int(field: number, value: number): void {
    this.#tag(field, VARINT);
    this.#signed(value);
  }

  int64(field: number, value: bigint): void {
    this.#tag(field, VARINT);
    this.#bigint(value);
  }

  /** high × 2³² + low; `high` is signed, `low` is not. */
  parts(field: number, high: number, low: number): void {
    this.#tag(field, VARINT);
    this.#bits(high, low);
  }

  float(field: number, value: number): void {
    this.#tag(field, FIXED32);
    this.length = this.#bytes.writeFloatLE(value, this.length);
  }

  double(field: number, value: number): void {
    this.#tag(field, FIXED64);
    this.length = this.#bytes.writeDoubleLE(value, this.length);
  }

  text(field: number, value: string): void {
    this.#tag(field, DELIMITED);
    // A UTF-16 unit takes at most three bytes.
    this.#reserve(3 * value.length + LONGEST_VARINT);
    if (3 * value.length <= LAST_SHORT) {
      const size = this.#bytes.write(value, this.length + 1, 'utf8');
      this.#bytes[this.length] = size;
      this.length += 1 + size;
      return;
    }
    this.#varint(Buffer.byteLength(value));
    this.length += this.#bytes.write(value, this.length, 'utf8');
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, DELIMITED);
    this.#varint(value.length);
    this.raw(value);
  }

  /** Part of a message that is ready. */
  raw(part: Uint8Array): void {
    const size = part.length;
    this.#reserve(size + LONGEST_VARINT);
    const bytes = this.#bytes;
    const at = this.length;
    if (size <= 32) for (let i = 0; i < size; i++) bytes[at + i] = part[i] as number;
    else bytes.set(part, at);
    this.length = at + size;
  }

  /** Of a packed field, between `begin` and `end`. */
  packedFloat(value: number): void {
    this.#reserve(4);
    this.length = this.#bytes.writeFloatLE(value, this.length);
  }

  packedDouble(value: number): void {
    this.#reserve(8);
    this.length = this.#bytes.writeDoubleLE(value, this.length);
  }

  packedInt(value: number): void {
    this.#reserve(LONGEST_VARINT);
    this.#signed(value);
  }

  packedInt64(value: bigint): void {
    this.#reserve(LONGEST_VARINT);
    this.#bigint(value);
  }

  /** A copy of what was written, as one message of gRPC that is not packed. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.length);
    this.#bytes.copy(taken, 0, 0, this.length);
    taken[0] = 0;
    taken.writeUInt32BE(this.length - PREFIX_BYTES, 1);
    return taken;
  }

  /** Forgets what was written. */
  reset(): void {
    this.length = PREFIX_BYTES;
    if (this.#bytes.length > LARGEST_KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(SMALLEST_BYTES);
  }

  /** Leaves room for a value of a fixed size behind it. */
  #tag(field: number, wire: number): void {
    this.#reserve(2 * LONGEST_VARINT);
    this.#varint(field * 8 + wire);
  }

  #signed(value: number): void {
    if (value < 0) this.#bits(Math.floor(value / 2 ** 32), value >>> 0);
    else this.#varint(value);
  }

  #bigint(value: bigint): void {
    this.#bits(Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asUintN(32, value)));
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let left = value;
    while (left > LAST_SHORT) {
      // Of a number past 2³² the low seven bits are cut off by division.
      bytes[this.length++] = (left % 128) | 128;
      left = Math.floor(left / 128);
    }
    bytes[this.length++] = left;
  }

  #bits(high: number, low: number): void {
    if (high >= 0 && high < LAST_SAFE_HIGH) {
      this.#varint(high * 2 ** 32 + low);
      return;
    }
    const bytes = this.#bytes;
    let [upper, lower] = [high >>> 0, low >>> 0];
    while (upper !== 0 || lower > LAST_SHORT) {
      bytes[this.length++] = (lower & 127) | 128;
      lower = ((lower >>> 7) | (upper << 25)) >>> 0;
      upper >>>= 7;
    }
    bytes[this.length++] = lower;
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}

function varintBytes(value: number): number {
  let count = 1;
  for (let left = value; left > LAST_SHORT; left = Math.floor(left / 128)) count++;
  return count;
}

const OUT = new WireWriter();

/** One message of gRPC, written in one go. */
export function writeMessage(write: (out: WireWriter) => void): Buffer {
  try {
    write(OUT);
    return OUT.take();
  } finally {
    OUT.reset();
  }
}
