// What reading a column's values gives, and how its bytes are looked at: never past those that came.

import { type DataType, describe, typeName, type Value } from '../../core/index.ts';
import { malformed } from './malformed.ts';
import type { ArrowField } from './read-schema.ts';
import type { ColumnData } from './read-stream.ts';
import type { Room } from './room.ts';

/** A value, or why it is none of the type. */
export type Cell = Value | WrongCell;

export class WrongCell {
  /** As "expected int32, got number 3000000000". */
  readonly message: string;

  constructor(type: DataType, raw: unknown, why = '') {
    this.message = `expected ${typeName(type)}, got ${describe(raw)}${why}`;
  }
}

/** All of a column's values in order. Throws HR_MALFORMED_ARROW, HR_TOO_LARGE. */
export type ReadCells = (data: ColumnData, room: Room) => Cell[];

/** Value `at` of a column, which is not null. */
export type ReadCell = (at: number) => Cell;

/** Undefined where no column of the Arrow type is one of `type`. */
export type CompileCells = (field: ArrowField, type: DataType) => ReadCells | undefined;

/** The least that a value takes in a JSON body: what of many values is less counts as much. */
export const LEAST_BYTES = 4;

export function isSet(bits: Uint8Array, at: number): boolean {
  return (((bits[at >> 3] as number) >> (at & 7)) & 1) === 1;
}

/** The buffer, which has so many bytes at least. */
export function bufferOf(buffers: readonly Uint8Array[], at: number, size: number): Uint8Array {
  const buffer = buffers[at];
  if (buffer === undefined || buffer.length < size) throw malformed('a column has fewer bytes than values');
  return buffer;
}

/** As `bufferOf`, to read numbers from. */
export function viewOf(buffers: readonly Uint8Array[], at: number, size: number): DataView {
  const { buffer, byteOffset, byteLength } = bufferOf(buffers, at, size);
  return new DataView(buffer, byteOffset, byteLength);
}
