// A part is one partial aggregate inside a tile (a sum, a count, a set). Features are read from one or two parts,
// and features of the same hop that need the same part share it.

import type { Value } from '../core/index.ts';
import type { ByteReader, ByteWriter } from './byte-stream.ts';
import type { EventColumns, TileRun } from './aggregator.ts';

/** Where a part lies within its group's tiles: slot s of tile i is `slots[i * stride + slot + s]`; cells likewise. */
export interface Place {
  readonly slot: number;
  readonly stride: number;
  readonly cell: number;
  readonly cellStride: number;
  /** Index into `Aggregator.inputs`; −1 for a part that reads no column. */
  readonly input: number;
}

/** What a part needs before its place is known. */
export interface PartSpec {
  /**
   * `rows`, `nonNull`, …: with the column it names the part within a group, and in the fingerprint what its slots and
   * cells hold: where those change, so does the name.
   */
  readonly name: string;
  readonly column: string | null;
  /** The part's slots in a tile without events. */
  readonly identity: readonly number[];
  /** How many; an empty tile's cells are undefined. */
  readonly cells: number;
  build(place: Place): Part;
}

export interface Part {
  /** Folds row `row` into tile `tile`; a null input is skipped. */
  update(run: TileRun, tile: number, events: EventColumns, row: number): void;
  /**
   * Folds a tile of another run into one of `into`; where full ties aren't decided by order keys, `from` arrived later.
   * Shares no memory with it.
   */
  merge(into: TileRun, intoTile: number, from: TileRun, fromTile: number): void;
  /** One per cell of the part. */
  readonly cells?: readonly CellCodec[];
}

/** Writes and reads one defined cell. */
export interface CellCodec {
  write(out: ByteWriter, cell: unknown): void;
  read(bytes: ByteReader): unknown;
  /** Most runs have none in any tile, and then spend one byte on it. */
  readonly isRare?: boolean;
}

/** Merges the tiles [from, to) of a run and gives the feature's value; throws HR_INTEGER_OVERFLOW. */
export type ReadRange<T extends Value = Value> = (run: TileRun, from: number, to: number) => T;

/** How a feature is computed from parts: compiled once its parts have their places. */
export interface Op {
  readonly parts: readonly PartSpec[];
  /** `places` in the order of `parts`. */
  compile(places: readonly Place[]): CompiledOp;
}

export interface CompiledOp {
  read: ReadRange;
  /** The same as one double, where the value is a count or is a plain number inside: spares a bigint. */
  readNumber?: ReadRange<number | null>;
}
