// Which rows of a column have a value, as Arrow keeps it: a bit each, the least of a byte first. DuckDB's own lies alike, so that
// whole chunks are copied.

import type { DuckDBVector } from '@duckdb/node-api';

const FIRST_BYTES = 8192;

export interface Validity {
  add(isValid: boolean): void;
  /** Those of a chunk's column. */
  take(valid: ChunkValidity, size: number): void;
  readonly rows: number;
  readonly nulls: number;
  /** Undefined where all have a value. */
  bitmap(): Uint8Array | undefined;
}

/** Undefined where all rows have a value. */
export type ChunkValidity = Uint8Array | undefined;

/** The vector's own, which its types call private as they do its numbers: read as it lies. */
export function validityOf(vector: DuckDBVector): ChunkValidity {
  const { validity } = vector as unknown as { readonly validity: { readonly data: BigUint64Array | null } };
  const { data } = validity;
  return data === null ? undefined : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export const isValidAt = (valid: ChunkValidity, row: number): boolean =>
  valid === undefined || ((valid[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;

export function createValidity(): Validity {
  let bits = new Uint8Array(FIRST_BYTES);
  let [rows, nulls] = [0, 0];
  const room = (more: number): void => {
    while (rows + more > bits.length * 8) {
      const larger = new Uint8Array(bits.length * 2);
      larger.set(bits);
      bits = larger;
    }
  };
  const add = (isValid: boolean): void => {
    room(1);
    if (isValid) bits[rows >> 3] = (bits[rows >> 3] ?? 0) | (1 << (rows & 7));
    else nulls++;
    rows++;
  };
  return {
    add,
    take(valid, size) {
      // Chunks are whole bytes, but for one at the end of a group of rows.
      const whole = rows % 8 === 0 ? size >> 3 : 0;
      room(size);
      const from = rows >> 3;
      for (let at = 0; at < whole; at++) {
        const byte = valid?.[at] ?? 255;
        bits[from + at] = byte;
        nulls += NULLS_OF[byte] ?? 0;
      }
      rows += whole * 8;
      for (let row = whole * 8; row < size; row++) add(isValidAt(valid, row));
    },
    get rows() {
      return rows;
    },
    get nulls() {
      return nulls;
    },
    bitmap: () => (nulls === 0 ? undefined : bits.slice(0, Math.ceil(rows / 64) * 8)),
  };
}

const NULLS_OF = Uint8Array.from({ length: 256 }, (_, byte) => 8 - byte.toString(2).replaceAll('0', '').length);
