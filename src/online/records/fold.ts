// What is folded of a record's events, as bytes: a base behind its run's number, a part behind its writer's. A stamp,
// the latest row with its place in the order of rows, the tiles, and the events that are not known yet.

import type { Micros } from '../../core/index.ts';
import { type ByteWriter, readFloat64, readUint32 } from './bytes.ts';
import { type PackedRow, ROW_HEADER, type RowCodec } from './row-codec.ts';

const VERSION = 2;
const FLAG = { row: 1, tiles: 2, waiting: 4 } as const;
const HEADER = 10;

export interface FoldParts {
  /** The greatest known time that may be folded in; −∞ for none. */
  readonly stamp: Micros;
  readonly row?: FoldRow | undefined;
  readonly tiles?: { readonly fingerprint: TilesFingerprint; readonly bytes: Uint8Array } | undefined;
  /** Events whose known time lies ahead, as `writeWaiting` has them. */
  readonly waiting?: Uint8Array | undefined;
}

/** A latest row with its place in the order of rows: packed already, or to be packed in place. */
export interface FoldRow {
  readonly order: Uint8Array;
  readonly row: Uint8Array | { readonly codec: RowCodec; readonly values: PackedRow };
}

/** First eight bytes of the hash of an aggregator's fingerprint. */
export interface TilesFingerprint {
  readonly high: number;
  readonly low: number;
}

/** Where a fold's parts lie in its bytes; filled again for each, never allocated on the hot path. */
export interface FoldPlaces {
  isReadable: boolean;
  stamp: Micros;
  /** Start of the packed row, or -1. */
  rowAt: number;
  rowEnd: number;
  orderAt: number;
  orderEnd: number;
  /** Start of the encoded tiles, or -1. */
  tilesAt: number;
  tilesHigh: number;
  tilesLow: number;
  /** Start of the waiting events, or -1. */
  waitingAt: number;
}

export function createFoldPlaces(): FoldPlaces {
  return {
    isReadable: false,
    stamp: -Infinity,
    rowAt: -1,
    rowEnd: -1,
    orderAt: -1,
    orderEnd: -1,
    tilesAt: -1,
    tilesHigh: 0,
    tilesLow: 0,
    waitingAt: -1,
  };
}

export function writeFold(writer: ByteWriter, { stamp, row, tiles, waiting }: FoldParts): void {
  writer.uint8(VERSION);
  writer.uint8(
    (row === undefined ? 0 : FLAG.row) |
      (tiles === undefined ? 0 : FLAG.tiles) |
      (waiting === undefined ? 0 : FLAG.waiting),
  );
  writer.float64(stamp);
  if (row !== undefined) {
    writer.uint32(row.order.length);
    writer.raw(row.order);
    const lengthAt = writer.length;
    writer.uint32(0);
    if (row.row instanceof Uint8Array) writer.raw(row.row);
    else row.row.codec.write(writer, row.row.values);
    writer.patchUint32(lengthAt, writer.length - lengthAt - 4);
  }
  if (tiles !== undefined) {
    writer.uint32(tiles.fingerprint.high);
    writer.uint32(tiles.fingerprint.low);
    writer.uint32(tiles.bytes.length);
    writer.raw(tiles.bytes);
  }
  if (waiting !== undefined) writer.raw(waiting);
}

/** Finds the parts of the fold that starts at `at`. One of another layout, or cut off, is not readable, and so marked. */
export function findFold(bytes: Uint8Array, at: number, places: FoldPlaces): void {
  places.isReadable = at + HEADER <= bytes.length && bytes[at] === VERSION && findParts(bytes, at, places);
  if (!places.isReadable) places.rowAt = places.tilesAt = places.waitingAt = -1;
}

/**
 * Start of the packed row of a fold that lies from `at` up to `end` and has a row and nothing else; −1 for any other. The row's
 * length is in the four bytes before it.
 */
export function findRowAlone(memory: DataView, at: number, end: number): number {
  const orderAt = at + HEADER + 4;
  if (orderAt > end || memory.getUint8(at) !== VERSION || memory.getUint8(at + 1) !== FLAG.row) return -1;
  const orderEnd = orderAt + memory.getUint32(orderAt - 4, true);
  if (orderEnd + 4 > end) return -1;
  const size = memory.getUint32(orderEnd, true);
  const rowAt = orderEnd + 4;
  return rowAt + size > end || size < ROW_HEADER ? -1 : rowAt;
}

/** False when one of them ends past the bytes. */
function findParts(bytes: Uint8Array, at: number, places: FoldPlaces): boolean {
  const { length } = bytes;
  places.rowAt = places.tilesAt = places.waitingAt = -1;
  const flags = bytes[at + 1] as number;
  places.stamp = readFloat64(bytes, at + 2);
  let next = at + HEADER;
  if ((flags & FLAG.row) !== 0) {
    if (next + 4 > length) return false;
    places.orderAt = next + 4;
    places.orderEnd = places.orderAt + readUint32(bytes, next);
    if (places.orderEnd + 4 > length) return false;
    places.rowAt = places.orderEnd + 4;
    next = places.rowEnd = places.rowAt + readUint32(bytes, places.orderEnd);
    if (next > length || next - places.rowAt < ROW_HEADER) return false;
  }
  if ((flags & FLAG.tiles) !== 0) {
    if (next + 12 > length) return false;
    places.tilesHigh = readUint32(bytes, next);
    places.tilesLow = readUint32(bytes, next + 4);
    places.tilesAt = next + 12;
    next += 12 + readUint32(bytes, next + 8);
    if (next > length) return false;
  }
  if ((flags & FLAG.waiting) !== 0) {
    if (next + 4 > length) return false;
    places.waitingAt = next;
  }
  return true;
}
