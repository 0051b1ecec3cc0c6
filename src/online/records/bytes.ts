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

/** Little-endian writer over one growing piece of memory; `reset` and write again, `take` copies out. */
export class ByteWriter {
  length = 0;
  #memory = memoryOf(512);

  reset(): void {
    this.length = 0;
  }

  uint8(value: number): void {
    const at = this.#reserve(1);
    this.#memory.bytes[at] = value;
  }

  uint32(value: number): void {
    const at = this.#reserve(4);
    this.#memory.view.setUint32(at, value, true);
  }

  int32(value: number): void {
    const at = this.#reserve(4);
    this.#memory.view.setInt32(at, value, true);
  }

  float32(value: number): void {
    const at = this.#reserve(4);
    this.#memory.view.setFloat32(at, value, true);
  }

  float64(value: number): void {
    const at = this.#reserve(8);
    this.#memory.view.setFloat64(at, value, true);
  }

  int64(value: bigint): void {
    const at = this.#reserve(8);
    this.#memory.view.setBigInt64(at, value, true);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#memory.bytes.set(bytes, at);
  }

  /** As UTF-8. */
  text(value: string): void {
    const at = this.#reserve(value.length * 3);
    this.length = at + this.#memory.buffer.write(value, at, 'utf8');
  }

  zeros(count: number): void {
    const at = this.#reserve(count);
    this.#memory.bytes.fill(0, at, at + count);
  }

  /** Overwrites what was written before at `at`. */
  patchUint32(at: number, value: number): void {
    this.#memory.view.setUint32(at, value, true);
  }

  setBit(at: number, bit: number): void {
    const { bytes } = this.#memory;
    bytes[at + (bit >> 3)] = (bytes[at + (bit >> 3)] as number) | (1 << (bit & 7));
  }

  take(): Uint8Array {
    return this.#memory.bytes.slice(0, this.length);
  }

  /** Makes room and gives where it starts. */
  #reserve(size: number): number {
    const at = this.length;
    this.length = at + size;
    if (this.length > this.#memory.bytes.length) {
      const grown = memoryOf(Math.max(this.length, this.#memory.bytes.length * 2));
      grown.bytes.set(this.#memory.bytes.subarray(0, at));
      this.#memory = grown;
    }
    return at;
  }
}

/** The same memory three ways: a plain array copies out several times as fast as a Buffer, a view writes numbers. */
function memoryOf(size: number) {
  const memory = new ArrayBuffer(size);
  return { bytes: new Uint8Array(memory), view: new DataView(memory), buffer: Buffer.from(memory) };
}
