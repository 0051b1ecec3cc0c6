// Tile states as bytes. Slots are written column by column, each as narrow as its values allow (counts mostly take a
// byte, compensations nothing), so that a record is small and its decoding a few tight loops.

import {
  type ByteReader,
  type ByteWriter,
  readCount,
  readDouble,
  reserve,
  writeByte,
  readByte,
  writeCount,
  writeDouble,
} from './byte-stream.ts';
import type { TileRun } from './aggregator.ts';
import type { CellCodec } from './part.ts';
import { reserveTiles, setCell, type TileLayout } from './tile-run.ts';

/** A cell within a tile, and how to write it. */
export interface CellPlace {
  readonly cell: number;
  readonly codec: CellCodec;
}

/** How a column's values are stored: nothing (all 0), unsigned integers of 1, 2 or 4 bytes, floats of 4 or 8. */
const FORM = { zero: 0, uint8: 1, uint16: 2, uint32: 3, float32: 4, float64: 5 } as const;
type Form = (typeof FORM)[keyof typeof FORM];
const WIDTH: readonly number[] = [0, 1, 2, 4, 4, 8];

/** For the tiles of most records; written and read within one call. */
const scratchHops = new Float64Array(64);

export function writeRun(out: ByteWriter, run: TileRun, layout: TileLayout, cells: readonly CellPlace[]): void {
  const { size } = run;
  writeCount(out, size);
  if (size === 0) return;
  const first = run.starts[0] as number;
  writeDouble(out, first);
  const hops = size <= scratchHops.length ? scratchHops : new Float64Array(size);
  for (let i = 0; i < size; i++) hops[i] = ((run.starts[i] as number) - first) / layout.hopMicros;
  writeColumn(out, hops, 0, 1, size);
  for (let slot = 0; slot < layout.stride; slot++) writeColumn(out, run.slots, slot, layout.stride, size);
  for (const { cell, codec } of cells) {
    if (codec.isRare === true) {
      const isThere = hasCell(run, cell, layout.cellStride);
      writeByte(out, isThere ? 1 : 0);
      if (!isThere) continue;
    }
    for (let tile = 0; tile < size; tile++) {
      const value = run.cells[tile * layout.cellStride + cell];
      writeByte(out, value === undefined ? 0 : 1);
      if (value !== undefined) codec.write(out, value);
    }
  }
}

/** Fills an empty run. */
export function readRun(from: ByteReader, run: TileRun, layout: TileLayout, cells: readonly CellPlace[]): void {
  const size = readCount(from);
  if (size === 0) return;
  // The starts of several tiles differ, so each takes a byte at least: a damaged count must not ask for memory.
  if (size - 1 > from.bytes.length - from.offset) throw new RangeError('there are fewer tiles than it says');
  reserveTiles(run, size, layout);
  const first = readDouble(from);
  const { starts } = run;
  readColumn(from, starts, 0, 1, size);
  for (let i = 0; i < size; i++) starts[i] = first + (starts[i] as number) * layout.hopMicros;
  for (let slot = 0; slot < layout.stride; slot++) readColumn(from, run.slots, slot, layout.stride, size);
  run.size = size;
  for (const { cell, codec } of cells) {
    if (codec.isRare === true && readByte(from) === 0) continue;
    for (let tile = 0; tile < size; tile++) {
      if (readByte(from) !== 0) setCell(run, tile * layout.cellStride + cell, codec.read(from));
    }
  }
}

function hasCell({ cells }: TileRun, cell: number, cellStride: number): boolean {
  for (let at = cell; at < cells.length; at += cellStride) if (cells[at] !== undefined) return true;
  return false;
}

function formOf(values: Float64Array, start: number, stride: number, size: number): Form {
  const end = start + size * stride;
  let greatest = 0;
  let at = start;
  for (; at < end; at += stride) {
    const value = values[at] as number;
    // −0 is no count: its reciprocal is −∞.
    if (value >>> 0 !== value || (value === 0 && 1 / value < 0)) break;
    if (value > greatest) greatest = value;
  }
  if (at < end) return isFloat32(values, start, stride, end) ? FORM.float32 : FORM.float64;
  if (greatest === 0) return FORM.zero;
  return greatest < 2 ** 8 ? FORM.uint8 : greatest < 2 ** 16 ? FORM.uint16 : FORM.uint32;
}

function isFloat32(values: Float64Array, start: number, stride: number, end: number): boolean {
  for (let at = start; at < end; at += stride) {
    const value = values[at] as number;
    // Math.fround keeps −0 and makes NaN of NaN.
    if (Math.fround(value) !== value && !Number.isNaN(value)) return false;
  }
  return true;
}

function writeColumn(out: ByteWriter, values: Float64Array, start: number, stride: number, size: number): void {
  const form = formOf(values, start, stride, size);
  writeByte(out, form);
  if (form === FORM.zero) return;
  let to = reserve(out, (WIDTH[form] as number) * size);
  const { bytes } = out;
  const end = start + size * stride;
  switch (form) {
    case FORM.uint8:
      for (let at = start; at < end; at += stride) bytes[to++] = values[at] as number;
      return;
    case FORM.uint16:
      for (let at = start; at < end; at += stride, to += 2) bytes.writeUInt16LE(values[at] as number, to);
      return;
    case FORM.uint32:
      for (let at = start; at < end; at += stride, to += 4) bytes.writeUInt32LE(values[at] as number, to);
      return;
    case FORM.float32:
      for (let at = start; at < end; at += stride, to += 4) bytes.writeFloatLE(values[at] as number, to);
      return;
    default:
      for (let at = start; at < end; at += stride, to += 8) bytes.writeDoubleLE(values[at] as number, to);
  }
}

function readColumn(from: ByteReader, values: Float64Array, start: number, stride: number, size: number): void {
  const form = readByte(from);
  const { bytes } = from;
  let at = start;
  let offset = from.offset;
  const end = offset + (WIDTH[form] as number) * size;
  // A truncated column must not read as zeros.
  if (end > bytes.length) throw new RangeError('a tile column ends past its bytes');
  switch (form) {
    case FORM.zero:
      for (let i = 0; i < size; i++, at += stride) values[at] = 0;
      break;
    case FORM.uint8:
      for (; offset < end; offset += 1, at += stride) values[at] = bytes[offset] as number;
      break;
    case FORM.uint16:
      for (; offset < end; offset += 2, at += stride) {
        values[at] = (bytes[offset] as number) | ((bytes[offset + 1] as number) << 8);
      }
      break;
    case FORM.uint32:
      for (; offset < end; offset += 4, at += stride) values[at] = bytes.readUInt32LE(offset);
      break;
    case FORM.float32:
      for (; offset < end; offset += 4, at += stride) values[at] = bytes.readFloatLE(offset);
      break;
    default:
      readDoubles(bytes, offset, end, values, at, stride);
  }
  from.offset = end;
}

const scratch = new Float64Array(1);
const scratchBytes = new Uint8Array(scratch.buffer);
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

// Bytes through a scratch double are several times as fast as Buffer.readDoubleLE, whose check is per call.
function readDoubles(
  bytes: Buffer,
  start: number,
  end: number,
  values: Float64Array,
  first: number,
  stride: number,
): void {
  let at = first;
  for (let offset = start; offset < end; offset += 8, at += stride) {
    for (let i = 0; i < 8; i++) scratchBytes[isLittleEndian ? i : 7 - i] = bytes[offset + i] as number;
    values[at] = scratch[0] as number;
  }
}
