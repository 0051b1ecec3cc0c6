// What a tile keeps of the order keys of its rows, for the ops that full ties matter to.

import type { EventColumns } from './aggregator.ts';
import { type ByteReader, type ByteWriter, readBlock, writeBlock, writeByte } from './byte-stream.ts';
import type { CellCodec } from './part.ts';

/** The order of a row; undefined for the least, that of a file's row in a source without created order. */
export function orderAt({ orders }: EventColumns, row: number): Uint8Array | undefined {
  if (orders === undefined) return undefined;
  const order = orders[row];
  return order === undefined || (order.length === 1 && order[0] === 0) ? undefined : order;
}

/** A tile's cell that holds an order. Rare: pushed rows have one, and rows of a source with a created order. */
export const orderCodec: CellCodec = {
  // Such cells hold orders.
  write: (out, order) => writeBlock(out, order as Uint8Array),
  read: readBlock,
  isRare: true,
};

/** Writes an order that may be the least as a block that may be empty. */
export function writeOrder(out: ByteWriter, order: Uint8Array | undefined): void {
  if (order === undefined) writeByte(out, 0);
  else writeBlock(out, order);
}

export function readOrder(from: ByteReader): Uint8Array | undefined {
  if (from.bytes[from.offset] !== 0) return readBlock(from);
  from.offset++;
  return undefined;
}
