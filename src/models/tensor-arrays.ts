// The array that holds each element type: what the runtime expects, and what rows are written into.

import type { TensorData, TensorType } from './tensor.ts';

const ARRAYS = {
  bool: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float16: Uint16Array,
} as const;

export type NumericData = Exclude<TensorData, readonly string[]>;

/** An array of `size` elements: of its own, or over `buffer` from `offset` on (in bytes, a multiple of 8). */
export function arrayOf(type: TensorType, size: number, buffer?: ArrayBufferLike, offset = 0): TensorData {
  if (type === 'string') return new Array<string>(size).fill('');
  const Constructor = ARRAYS[type];
  // Shared memory serves as well; only the constructors' overloads do not say so together.
  return buffer === undefined ? new Constructor(size) : new Constructor(buffer as ArrayBuffer, offset, size);
}

const SLAB_BYTES = 16 * 1024;
/** In bytes. */
const MOST_IN_SLAB = 1024;
let slab = new ArrayBuffer(SLAB_BYTES);
let slabUsed = 0;

/** As `arrayOf`, for what a request brings: small arrays lie side by side, since memory for each alone takes longer to get than to fill. */
export function requestArrayOf(type: TensorType, size: number): TensorData {
  const bytes = placedBytes(type, size);
  if (type === 'string' || bytes > MOST_IN_SLAB) return arrayOf(type, size);
  if (slabUsed + bytes > SLAB_BYTES) [slab, slabUsed] = [new ArrayBuffer(SLAB_BYTES), 0];
  const array = arrayOf(type, size, slab, slabUsed);
  slabUsed += bytes;
  return array;
}

/** What an array takes of memory that others share, in bytes: the next begins where one of any type may. */
export function placedBytes(type: TensorType, size: number): number {
  return Math.ceil((size * elementBytes(type)) / LARGEST_ELEMENT) * LARGEST_ELEMENT;
}

const LARGEST_ELEMENT = 8;

/** Bytes of one element; 0 for a string, which lies elsewhere. */
export function elementBytes(type: TensorType): number {
  return type === 'string' ? 0 : ARRAYS[type].BYTES_PER_ELEMENT;
}

export function isText(data: TensorData): data is readonly string[] {
  return Array.isArray(data);
}
