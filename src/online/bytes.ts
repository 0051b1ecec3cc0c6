// Reading and writing packed bytes: a growing little-endian writer, and reads that allocate nothing.
// Reads take any Uint8Array at any offset, because records come as slices of a store's own memory.

const scratch = new ArrayBuffer(8);
const scratchBytes = new Uint8Array(scratch);
const scratchFloat64 = new Float64Array(scratch);
const scratchFloat32 = new Float32Array(scratch);
const scratchInt64 = new BigInt64Array(scratch);

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) | 0;
}

export function readFloat64(bytes: Uint8Array, at: number): number {
  fill(bytes, at, 8);
  return scratchFloat64[0] as number;
}

export function readFloat32(bytes: Uint8Array, at: number): number {
  fill(bytes, at, 4);
  return scratchFloat32[0] as number;
}

export function readInt64(bytes: Uint8Array, at: number): bigint {
  fill(bytes, at, 8);
  return scratchInt64[0] as bigint;
}

// A loop of eight byte moves is several times as fast as making a DataView or a slice.
function fill(bytes: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) scratchBytes[i] = bytes[at + i] as number;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export function readText(bytes: Uint8Array, from: number, to: number): string {
  // Most strings are short ASCII, where building them by code is faster than a decoder's call.
  if (to - from <= 24) {
    let text = '';
    for (let i = from; i < to; i++) {
      const code = bytes[i] as number;
      if (code > 127) return utf8.decode(bytes.subarray(from, to));
      text += String.fromCharCode(code);
    }
    return text;
  }
  return utf8.decode(bytes.subarray(from, to));
}

/** Little-endian writer over one growing buffer; `reset` and write again, `take` copies out. */
export class ByteWriter {
  length = 0;
  #bytes = Buffer.allocUnsafeSlow(512);

  reset(): void {
    this.length = 0;
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.length = this.#bytes.writeUInt32LE(value, this.length);
  }

  int32(value: number): void {
    this.#reserve(4);
    this.length = this.#bytes.writeInt32LE(value, this.length);
  }

  float32(value: number): void {
    this.#reserve(4);
    this.length = this.#bytes.writeFloatLE(value, this.length);
  }

  float64(value: number): void {
    this.#reserve(8);
    this.length = this.#bytes.writeDoubleLE(value, this.length);
  }

  int64(value: bigint): void {
    this.#reserve(8);
    this.length = this.#bytes.writeBigInt64LE(value, this.length);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  text(value: string): void {
    this.#reserve(value.length * 3);
    this.length += this.#bytes.write(value, this.length, 'utf8');
  }

  zeros(count: number): void {
    this.#reserve(count);
    this.#bytes.fill(0, this.length, this.length + count);
    this.length += count;
  }

  /** Overwrites what was written before at `at`. */
  patchUint32(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value, at);
  }

  setBit(at: number, bit: number): void {
    this.#bytes[at + (bit >> 3)] = (this.#bytes[at + (bit >> 3)] as number) | (1 << (bit & 7));
  }

  take(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, 0, this.length);
  }

  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }
}
