// The window algebra's contract. One implementation folds pushed events, materialized history and the offline replay,
// so a value cannot differ between training and serving.

import type { DataType, Micros, Value } from '../core/index.ts';

/**
 * A batch of events as columns, row by row in arrival order. The offline replay fills it from DuckDB's chunks;
 * a push fills one of a few rows.
 */
export interface EventColumns {
  readonly eventMicros: Float64Array;
  readonly knownMicros: Float64Array;
  /** One per `Aggregator.inputs`, in that order. */
  readonly inputs: readonly InputColumn[];
  /**
   * Each row's `encodeOrder`, which decides full ties of (event, known) however rows are split, fed and merged. Only
   * read where `Aggregator.isOrderSensitive`, and then kept, so their bytes must not change. Without them, and between
   * equal ones, the later fed is the later; a row without one comes before those that have one.
   */
  readonly orders?: readonly (Uint8Array | undefined)[];
}

/**
 * An input column's values. Plain numbers (int32, float32, float64, timestamp; bool as 0/1) lie in `numbers`;
 * an int64 v is two numbers, `numbers` = v >> 32 (signed) and `low` = v & 0xffffffff (unsigned);
 * every other type lies in `values`. `valid[i]` is 0 for null.
 */
export interface InputColumn {
  readonly numbers?: Float64Array;
  readonly low?: Float64Array;
  readonly values?: readonly Value[];
  readonly valid: Uint8Array;
}

/** One column that the windows of a view read. */
export interface AggregatorInput {
  readonly column: string;
  readonly type: DataType;
}

/** Tiles of one hop. All windows of a view with that hop share them. */
export interface TileGroup {
  readonly hopMicros: Micros;
  /** The longest window over this hop: tiles older than floor(T − it, hop) can be dropped. */
  readonly retentionMicros: Micros;
  /** Float64 slots of one tile. */
  readonly slotsPerTile: number;
  /** Entries of `cells` of one tile: states that aren't numbers (strings, sets, lists), or rarely there at all. */
  readonly cellsPerTile: number;
}

/**
 * One key's tiles of one hop, ascending by start; only those with events. Owned and grown by the aggregator. `cells`
 * ends at the last that was ever set: those past its end are undefined.
 */
export interface TileRun {
  size: number;
  starts: Float64Array;
  slots: Float64Array;
  cells: unknown[];
}

/** One key's state: a run per `Aggregator.groups`. */
export type TileState = readonly TileRun[];

/** Compiled once per view by `compileAggregator(view, source)`; null there when the view has no windows. */
export interface Aggregator {
  readonly inputs: readonly AggregatorInput[];
  readonly groups: readonly TileGroup[];
  /** Index in the view's features of each windowed feature, ascending. */
  readonly features: readonly number[];
  /**
   * Whether the order of full ties matters (first, last, lastN): then give `EventColumns.orders`, or feed ties by
   * (created order, arrival, row content).
   */
  readonly isOrderSensitive: boolean;
  create(): TileState;
  /** Empties a state for the next key, keeping its memory. */
  reset(state: TileState): void;
  /** Folds row `row` of the batch in; events may come in any order of time. */
  update(state: TileState, events: EventColumns, row: number): void;
  /** Folds `from` into `into`; in any order, but where order keys leave a full tie, `from` arrived later. */
  merge(into: TileState, from: TileState): void;
  /**
   * The value at `at` of windowed feature `feature` (index into `features`): over tiles with
   * floor(at − window, hop) ≤ start ≤ at. Throws HR_INTEGER_OVERFLOW (the caller names the key).
   */
  value(state: TileState, feature: number, at: Micros): Value;
  /**
   * Per windowed feature, the same value as one double where it is a count or a plain number inside (int32, floats,
   * timestamp), which spares bulk readers a bigint each; undefined for the others.
   */
  readonly numberReaders: readonly (((state: TileState, at: Micros) => number | null) | undefined)[];
  /** Drops tiles that no window at `at` or later can see. */
  trim(state: TileState, at: Micros): void;
  /** Bytes of a state, compact, versioned by layout; `decode` fills a reset state and gives the offset past it. */
  encode(state: TileState): Uint8Array;
  decode(bytes: Uint8Array, offset: number, state: TileState): number;
  /** Names the layout (ops, columns, types, hops): states of another fingerprint can't be decoded. */
  readonly fingerprint: string;
}
