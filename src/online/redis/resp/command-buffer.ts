// Commands as bytes, written straight into one growing buffer: no command is ever an object. What a turn writes goes
// out in one piece.

const SMALLEST_BYTES = 16 * 1024;
/** Longer runs of bytes are copied by the engine; for shorter ones a loop is quicker than its call. */
const LOOP_UP_TO = 24;

const CR = 13;
const LF = 10;

export class CommandBuffer {
  /** How many bytes are written. */
  length = 0;
  #bytes: Buffer;

  constructor(bytes: Buffer = Buffer.allocUnsafeSlow(SMALLEST_BYTES)) {
    this.#bytes = bytes;
  }

  /** Begins a command of `count` words, its name among them. */
  command(count: number): void {
    this.#header(42, count);
  }

  /** Begins a word of `size` bytes: exactly as many must follow, and then `end`. */
  word(size: number): void {
    this.#header(36, size);
  }

  end(): void {
    this.#reserve(2);
    this.#bytes[this.length++] = CR;
    this.#bytes[this.length++] = LF;
  }

  /** A whole word. */
  bytes(word: Uint8Array): void {
    this.word(word.length);
    this.raw(word);
    this.end();
  }

  /** A whole word; numbers are written as decimals. */
  text(word: string | number): void {
    const text = typeof word === 'number' ? String(word) : word;
    const size = Buffer.byteLength(text);
    this.word(size);
    this.#reserve(size);
    this.length += this.#bytes.write(text, this.length, 'utf8');
    this.end();
  }

  /** A whole command of plain words. */
  words(...words: readonly (string | number | Uint8Array)[]): void {
    this.command(words.length);
    for (const word of words) {
      if (typeof word === 'object') this.bytes(word);
      else this.text(word);
    }
  }

  /** Bytes as they are: part of a word, or words encoded before. */
  raw(part: Uint8Array): void {
    const size = part.length;
    this.#reserve(size);
    const { length } = this;
    if (size <= LOOP_UP_TO) {
      const bytes = this.#bytes;
      for (let i = 0; i < size; i++) bytes[length + i] = part[i] as number;
    } else {
      this.#bytes.set(part, length);
    }
    this.length = length + size;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  /** Big-endian. */
  uint32(value: number): void {
    this.#reserve(4);
    this.length = this.#bytes.writeUInt32BE(value, this.length);
  }

  /** Gives where `size` bytes may be written, and counts them as written. */
  claim(size: number): { readonly bytes: Buffer; readonly at: number } {
    this.#reserve(size);
    const at = this.length;
    this.length += size;
    return { bytes: this.#bytes, at };
  }

  /** Forgets what was written past `length`. */
  cutTo(length: number): void {
    this.length = length;
  }

  /** What was written, and the memory under it for another buffer later. */
  take(): { readonly written: Buffer; readonly memory: Buffer } {
    return { written: this.#bytes.subarray(0, this.length), memory: this.#bytes };
  }

  #header(mark: number, count: number): void {
    this.#reserve(20);
    const bytes = this.#bytes;
    let at = this.length;
    bytes[at++] = mark;
    if (count < 10) {
      bytes[at++] = 48 + count;
    } else if (count < 100) {
      const tens = (count / 10) | 0;
      bytes[at++] = 48 + tens;
      bytes[at++] = 48 + count - tens * 10;
    } else {
      at += bytes.write(String(count), at, 'latin1');
    }
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.length = at;
  }

  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }
}

/** A word as it is written, for words that come again and again. */
export function encodeWord(word: string | Uint8Array): Buffer {
  const content = Buffer.from(word);
  return Buffer.concat([Buffer.from(`$${content.length}\r\n`), content, Buffer.from('\r\n')]);
}

/** The head of a command of `count` words with its first words, for commands that come again and again. */
export function encodeHead(count: number, ...words: readonly string[]): Buffer {
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...words.map(encodeWord)]);
}
