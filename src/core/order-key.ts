// The order of rows that tie in event time and known time, as bytes: what the source's created order says, then where
// the row lies. DuckDB's ORDER BY and the bytes here agree, so offline and online pick the same winner.

import type { DataType, Value } from './data-type.ts';
import { encodePart } from './entity-key.ts';

/** Where a pushed row lies in the log; it never changes. */
export interface RowPlace {
  readonly writer: number;
  readonly offset: number;
}

const NULL = 0;
const FILE = Uint8Array.of(0);
const PLACE_BYTES = 11;

/**
 * Encodes what decides a full tie, in memory of its own. `created` is the value of the source's created-order column,
 * left out when it names none: null comes before everything, an int64 is exact, a text goes by its UTF-8 bytes, NaN is
 * the greatest float, −0 is 0. `place` is left out for a row of a file: all of those come before any pushed row, which
 * go by writer, then offset. All rows that are compared come from one source.
 */
export function encodeOrder(
  created: { readonly type: DataType; readonly value: Value } | undefined,
  place: RowPlace | undefined,
): Uint8Array {
  if (created === undefined) return writePlace(new Uint8Array(placeBytes(place)), 0, place);
  const first = created.value === null ? [NULL] : encodeCreated(created.type, created.value);
  const bytes = new Uint8Array(first.length + placeBytes(place));
  bytes.set(first);
  return writePlace(bytes, first.length, place);
}

/** Below 0 when `a` came before `b`. No order at all is that of a file's row in a source without created order. */
export function compareOrder(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  return a === b ? 0 : Buffer.compare(a ?? FILE, b ?? FILE);
}

function placeBytes(place: RowPlace | undefined): number {
  return place === undefined ? FILE.length : PLACE_BYTES;
}

// Byte by byte: each pushed row has one, and a Buffer for it would take longer than its bytes.
function writePlace(bytes: Uint8Array, at: number, place: RowPlace | undefined): Uint8Array {
  if (place === undefined) return bytes;
  const { writer, offset } = place;
  if (!(writer >= 0 && writer < 2 ** 32 && offset >= 0 && offset < 2 ** 48)) {
    throw new RangeError(`no place in a log: writer ${writer}, offset ${offset}`);
  }
  const high = Math.floor(offset / 2 ** 32);
  bytes[at] = 1;
  bytes[at + 1] = writer >>> 24;
  bytes[at + 2] = writer >>> 16;
  bytes[at + 3] = writer >>> 8;
  bytes[at + 4] = writer;
  bytes[at + 5] = high >>> 8;
  bytes[at + 6] = high;
  bytes[at + 7] = offset >>> 24;
  bytes[at + 8] = offset >>> 16;
  bytes[at + 9] = offset >>> 8;
  bytes[at + 10] = offset;
  return bytes;
}

// A value's first byte is above NULL.
function encodeCreated(type: DataType, value: Value): Uint8Array {
  // The casts hold because the value is one of `type`.
  switch (type.kind) {
    case 'list':
      return encodeItems(type.of, value as readonly Value[]);
    case 'vector':
      return encodeItems({ kind: 'float32' }, [...(value as Float32Array)]);
    default:
      return encodePart(type.kind, value);
  }
}

const LIST = 7;
const ITEM = { end: 0, value: 1, null: 2 } as const;

// A list sorts before the longer ones that start with it; inside one, DuckDB has null last.
function encodeItems(type: DataType, items: readonly Value[]): Uint8Array {
  const pieces = items.flatMap((item) =>
    item === null ? [Uint8Array.of(ITEM.null)] : [Uint8Array.of(ITEM.value), encodeCreated(type, item)],
  );
  return Buffer.concat([Uint8Array.of(LIST), ...pieces, Uint8Array.of(ITEM.end)]);
}
