// JSON as bytes in one growing piece of memory that is used again for every answer: names and punctuation go in as bytes
// that were ready, values digit by digit. The same text as `stringifyJson(toJson(type, value))`.

import { type DataType, formatTimestamp, type Micros, stringifyJson, toJson, type Value } from '../core/index.ts';
import type { ValueSink } from '../online/index.ts';
import { LONGEST_NUMBER, writeDouble, writeTime, writeWhole } from './json-digits.ts';

const QUOTE = 34;
const BACKSLASH = 92;
const SPACE = 32;
const LAST_ASCII = 127;
const MINUS = 45;

const NULL = Buffer.from('null');
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');

const SMALLEST_BYTES = 16 * 1024;
/** An answer that grew past it does not keep its memory. */
const LARGEST_KEPT_BYTES = 4 * 1024 * 1024;
/** Highs of int64 whose numbers are safe integers. */
const HIGH_SAFE = 2 ** 21;

/** Less is copied sooner than it is lent. */
const LEAST_LENT_BYTES = 32 * 1024;
/** Memory that was released and waits: so many pieces, none above the size. */
const MOST_LENDABLE = 16;
const LARGEST_LENDABLE_BYTES = 1024 * 1024;

/** An answer, and its end: called once nothing reads the bytes any more, or never. */
export interface LentBytes {
  readonly bytes: Buffer;
  release(): void;
}

const lendable = createLendable();

function createLendable(): { take(): Buffer | undefined; add(memory: Buffer): void } {
  const pieces: Buffer[] = [];
  return {
    take: () => pieces.pop(),
    add(memory) {
      if (pieces.length < MOST_LENDABLE && memory.length <= LARGEST_LENDABLE_BYTES) pieces.push(memory);
    },
  };
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Not shared: one call writes a whole answer and takes it. */
export class JsonBytes implements ValueSink {
  length = 0;
  #bytes: Buffer = Buffer.allocUnsafeSlow(SMALLEST_BYTES);

  raw(part: Uint8Array): void {
    const size = part.length;
    this.#reserve(size);
    const bytes = this.#bytes;
    const at = this.length;
    if (size <= 32) for (let i = 0; i < size; i++) bytes[at + i] = part[i] as number;
    else bytes.set(part, at);
    this.length = at + size;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  /** What was written from `start` up to `end`, once more. */
  again(start: number, end: number): void {
    const size = end - start;
    this.#reserve(size);
    this.#bytes.copyWithin(this.length, start, end);
    this.length += size;
  }

  none(): void {
    this.raw(NULL);
  }

  bool(value: boolean): void {
    this.raw(value ? TRUE : FALSE);
  }

  number(value: number): void {
    this.#reserve(LONGEST_NUMBER);
    const end = Number.isFinite(value) ? writeDouble(this.#bytes, this.length, value) : -1;
    if (end >= 0) this.length = end;
    else this.#plain(Number.isFinite(value) ? String(value) : `"${value}"`);
  }

  int64(high: number, low: number): void {
    if (high >= HIGH_SAFE || high < -HIGH_SAFE) {
      this.#plain(String((BigInt(high) << 32n) + BigInt(low)));
      return;
    }
    this.#reserve(LONGEST_NUMBER);
    const value = high * 2 ** 32 + low;
    if (value < 0) this.#bytes[this.length++] = MINUS;
    this.length = writeWhole(this.#bytes, this.length, Math.abs(value));
  }

  timestamp(value: Micros): void {
    this.#reserve(LONGEST_NUMBER);
    this.#bytes[this.length] = QUOTE;
    const end = writeTime(this.#bytes, this.length + 1, value);
    if (end < 0) {
      this.#plain(`"${formatTimestamp(value)}"`);
      return;
    }
    this.#bytes[end] = QUOTE;
    this.length = end + 1;
  }

  text(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start + 2);
    const bytes = this.#bytes;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const code = from[i] as number;
      if (code < SPACE || code > LAST_ASCII || code === QUOTE || code === BACKSLASH) {
        this.#escaped(utf8.decode(from.subarray(start, end)));
        return;
      }
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  value(type: DataType, value: Value): void {
    if (value === null) {
      this.none();
      return;
    }
    switch (type.kind) {
      case 'bool':
        return this.bool(value === true);
      case 'int32':
      case 'float32':
      case 'float64':
        return this.number(value as number);
      case 'int64':
        return this.#plain(String(value));
      case 'timestamp':
        return this.timestamp(value as number);
      case 'string':
        return this.#escaped(value as string);
      default:
        return this.escapedJson(stringifyJson(toJson(type, value)));
    }
  }

  /** What was written, as bytes of its own; the next answer begins. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.length);
    this.#bytes.copy(taken, 0, 0, this.length);
    this.reset();
    return taken;
  }

  /**
   * What was written, mostly where it lies: a large answer is not copied, and its memory is written to again once it is
   * released. The next answer begins.
   */
  lend(): LentBytes {
    if (this.length < LEAST_LENT_BYTES) return { bytes: this.take(), release: () => {} };
    const memory = this.#bytes;
    const bytes = memory.subarray(0, this.length);
    this.#bytes = lendable.take() ?? Buffer.allocUnsafeSlow(memory.length);
    this.length = 0;
    let isLent = true;
    return {
      bytes,
      release() {
        if (isLent) lendable.add(memory);
        isLent = false;
      },
    };
  }

  /** Forgets what was written: of an answer that failed half-way. */
  reset(): void {
    this.length = 0;
    if (this.#bytes.length > LARGEST_KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(SMALLEST_BYTES);
  }

  #escaped(text: string): void {
    this.escapedJson(JSON.stringify(text));
  }

  protected escapedJson(json: string): void {
    this.#reserve(json.length * 3);
    this.length += this.#bytes.write(json, this.length, 'utf8');
  }

  /** ASCII. */
  #plain(text: string): void {
    const size = text.length;
    this.#reserve(size);
    const bytes = this.#bytes;
    const at = this.length;
    for (let i = 0; i < size; i++) bytes[at + i] = text.charCodeAt(i);
    this.length = at + size;
  }

  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }
}

/** The same with each int64 as text, also within lists. A class of its own: where nobody asks for it, nothing looks. */
export class TextInt64Bytes extends JsonBytes {
  override int64(high: number, low: number): void {
    this.byte(QUOTE);
    super.int64(high, low);
    this.byte(QUOTE);
  }

  override value(type: DataType, value: Value): void {
    if (value !== null && (type.kind === 'int64' || type.kind === 'list'))
      this.escapedJson(stringifyJson(toJson(type, value, 'text')));
    else super.value(type, value);
  }
}
