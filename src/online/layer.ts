// One layer of a record (base or pushed) as bytes: a stamp, the latest row, the tiles, and events not yet known.
// The stamp is the watermark of a base, and the greatest known time folded into a pushed part. A base also tells up to
// which arrival it took pushed events in, where its source keeps them.

import type { Micros } from '../core/index.ts';
import { type ByteWriter, readFloat64, readUint32 } from './bytes.ts';

const VERSION = 1;
const FLAG = { row: 1, tiles: 2, incomplete: 4, waiting: 8, through: 16 } as const;

export interface LayerParts {
  readonly stamp: Micros;
  /** Of a base: the last arrival of a pushed event that it may hold; left out when all known by the stamp are in it. */
  readonly through?: Micros;
  /** A packed row. */
  readonly row: Uint8Array | undefined;
  readonly tiles: { readonly fingerprint: TilesFingerprint; readonly bytes: Uint8Array } | undefined;
  /** The tiles lack a column that events of an older schema did not carry. */
  readonly isIncomplete?: boolean;
  /** A pushed log of events whose known time lies ahead. */
  readonly waiting?: Uint8Array | undefined;
}

/** First eight bytes of the hash of an aggregator's fingerprint. */
export interface TilesFingerprint {
  readonly high: number;
  readonly low: number;
}

/** Where a layer's parts lie in its bytes; filled again for each record, never allocated on the hot path. */
export interface LayerPlaces {
  isReadable: boolean;
  stamp: Micros;
  /** Start of the packed row, or -1. */
  rowAt: number;
  /** Start of the encoded tiles, or -1. */
  tilesAt: number;
  tilesHigh: number;
  tilesLow: number;
  isIncomplete: boolean;
  /** Start and end of the waiting events, or -1. */
  waitingAt: number;
  waitingEnd: number;
}

export function createLayerPlaces(): LayerPlaces {
  return {
    isReadable: false,
    stamp: 0,
    rowAt: -1,
    tilesAt: -1,
    tilesHigh: 0,
    tilesLow: 0,
    isIncomplete: false,
    waitingAt: -1,
    waitingEnd: -1,
  };
}

export function writeLayer(writer: ByteWriter, parts: LayerParts): void {
  const { row, tiles, waiting, through = Infinity } = parts;
  writer.uint8(VERSION);
  writer.uint8(
    (row === undefined ? 0 : FLAG.row) |
      (tiles === undefined ? 0 : FLAG.tiles) |
      (parts.isIncomplete === true ? FLAG.incomplete : 0) |
      (waiting === undefined ? 0 : FLAG.waiting) |
      (through === Infinity ? 0 : FLAG.through),
  );
  writer.float64(parts.stamp);
  if (through !== Infinity) writer.float64(through);
  if (row !== undefined) {
    writer.uint32(row.length);
    writer.raw(row);
  }
  if (tiles !== undefined) {
    writer.uint32(tiles.fingerprint.high);
    writer.uint32(tiles.fingerprint.low);
    writer.uint32(tiles.bytes.length);
    writer.raw(tiles.bytes);
  }
  if (waiting !== undefined) {
    writer.uint32(waiting.length);
    writer.raw(waiting);
  }
}

/** Finds a layer's parts. Bytes of another layout version are not readable, and left so marked. */
export function findLayer(bytes: Uint8Array, places: LayerPlaces): void {
  places.isReadable = bytes[0] === VERSION;
  places.rowAt = -1;
  places.tilesAt = -1;
  places.waitingAt = -1;
  if (!places.isReadable) return;
  const flags = bytes[1] as number;
  places.stamp = readFloat64(bytes, 2);
  places.isIncomplete = (flags & FLAG.incomplete) !== 0;
  let at = (flags & FLAG.through) === 0 ? 10 : 18;
  if ((flags & FLAG.row) !== 0) {
    places.rowAt = at + 4;
    at += 4 + readUint32(bytes, at);
  }
  if ((flags & FLAG.tiles) !== 0) {
    places.tilesHigh = readUint32(bytes, at);
    places.tilesLow = readUint32(bytes, at + 4);
    places.tilesAt = at + 12;
    at += 12 + readUint32(bytes, at + 8);
  }
  if ((flags & FLAG.waiting) !== 0) {
    places.waitingAt = at + 4;
    places.waitingEnd = at + 4 + readUint32(bytes, at);
  }
}

/** What a base holds: every event known by `asOf` that arrived by `through`; of files and tables all known by `asOf`. */
export interface Coverage {
  readonly asOf: Micros;
  readonly through: Micros;
}

const NOTHING: Coverage = { asOf: -Infinity, through: -Infinity };

export function baseCoverage(base: Uint8Array | undefined): Coverage {
  if (base === undefined || base[0] !== VERSION) return NOTHING;
  const isBounded = ((base[1] as number) & FLAG.through) !== 0;
  return { asOf: readFloat64(base, 2), through: isBounded ? readFloat64(base, 10) : Infinity };
}
