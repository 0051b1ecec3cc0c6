// One record's bytes to a view's feature values at a time T, compiled once per view; what a feature read does per key.
// The base's own run tells which parts stand beside it; they are merged in scratch states used again for every record.

import { floorTo, HeadraceError, type Micros, type Value } from '../../core/index.ts';
import type { TileState } from '../../aggregation/index.ts';
import type { StoredRecord } from '../online-store.ts';
import { isBeside } from '../runs/coverage.ts';
import { createFoldPlaces, findFold, findRowAlone, type FoldPlaces } from './fold.ts';
import { foldIntoTiles } from './fold-events.ts';
import { BASE_FOLD, runOfBase } from './pack-base.ts';
import { asOfLastRun, type BaseRun, type RecordDirectory } from './record-directory.ts';
import { isRowDeleted, type NumberPlace, ROW_AT, type RowCodec, rowFingerprint } from './row-codec.ts';
import { type ColumnSource, mapColumns } from './row-schema.ts';
import type { ViewCodec } from './view-codec.ts';
import type { ValueSink } from './value-sink.ts';
import { parseWaiting, type ViewEvent, type WaitingEvent } from './waiting-events.ts';
import { missingAt, Winner } from './winner.ts';

export type Status = 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE' | 'INVALID';

/** One view's part of a read, in the order of the view's features. */
export interface ReadView {
  readonly values: readonly Value[];
  readonly statuses: readonly Status[];
  /** Event time of the row that the `latest` features came from; null when there is none. */
  readonly eventMicros: Micros | null;
}

export interface RecordReader {
  /** Nothing is stored under the key (or the key is null: then counts are null too). */
  absent(isNullKey: boolean): ReadView;
  /**
   * Values at `at`; rows may be known, and have happened, up to `skew` later by the clock of the server that took them: the
   * same in a base as in a part, or a row would be gone from a slow server's answers once a run has counted it. Undefined when the directory lacks a run or a schema: let it load, and read again. Throws
   * HR_INTEGER_OVERFLOW, naming the feature.
   */
  read(record: StoredRecord, at: Micros, skew?: Micros): ReadView | undefined;
  /**
   * As `read`, but gives `IN_PLACE` where every value lies in one packed row of today's schema: that of `found`, until the
   * next call.
   */
  find(record: StoredRecord, at: Micros, skew?: Micros): ReadView | typeof IN_PLACE | undefined;
  readonly found: FoundRow;
  /**
   * Of a base without parts, which lies from `from` up to `to`: the start of the packed row that `find` would find in place;
   * −1 where that takes more than a look at it.
   */
  findBase(memory: PackedMemory, from: number, to: number, at: Micros, skew: Micros): number;
  /** Gives the sink the value of a wanted feature in a row that `find` found; false for null. */
  give(bytes: Uint8Array, rowAt: number, feature: number, sink: ValueSink): boolean;
  /** Where a wanted feature's number lies in such a row; undefined for what is none. */
  numberPlace(feature: number): NumberPlace | undefined;
}

/** The same bytes as both: texts are read from the one, numbers from the other. */
export interface PackedMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export const IN_PLACE: unique symbol = Symbol('in place');

/** Where a packed row lies, and when it happened. */
export interface FoundRow {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly eventMicros: Micros;
}

/** What merging a record came to. */
const MERGED = { lacking: 0, invalid: 1, absent: 2, found: 3 } as const;
type Merged = (typeof MERGED)[keyof typeof MERGED];

/** Computes the features at `wanted` (indexes into the view's); the others are left null and NOT_FOUND. */
export function createRecordReader(
  codec: ViewCodec,
  directory: RecordDirectory,
  wanted: readonly number[] = codec.view.features.map((_, index) => index),
): RecordReader {
  const { view, aggregator, rowCodec } = codec;
  const size = view.features.length;
  const latest = wanted.flatMap((feature) => {
    const { aggregation } = view.features[feature] as (typeof view.features)[number];
    return aggregation.op === 'latest' ? [{ feature, column: codec.latestColumns.indexOf(aggregation.column) }] : [];
  });
  const columns: number[] = new Array<number>(size).fill(-1);
  for (const { feature, column } of latest) columns[feature] = column;
  const hasLists = latest.some(({ feature }) => view.features[feature]?.type.kind === 'list');
  const windows = wanted.flatMap((feature) => {
    const window = aggregator?.features.indexOf(feature) ?? -1;
    return window < 0 ? [] : [{ feature, window }];
  });
  const places = createFoldPlaces();
  const winner = new Winner();
  const tiles = aggregator?.create() ?? [];
  const moreTiles = aggregator?.create() ?? [];
  const emptyValues: Value[] = new Array<Value>(size).fill(null);
  if (aggregator !== null) {
    for (const { feature, window } of windows) emptyValues[feature] = aggregator.value(tiles, window, 0);
  }
  const notFound: Status[] = new Array<Status>(size).fill('NOT_FOUND');
  const absent: ReadView = { values: emptyValues, statuses: notFound, eventMicros: null };
  const nullKey: ReadView = { values: new Array<Value>(size).fill(null), statuses: notFound, eventMicros: null };
  const invalidStatuses = [...notFound];
  for (const feature of wanted) invalidStatuses[feature] = 'INVALID';
  const invalid: ReadView = { values: nullKey.values, statuses: invalidStatuses, eventMicros: null };
  const maps = new Map<string, readonly ColumnSource[] | null>();

  // A list may be damaged within: only its decoding tells.
  const isOfRows = !hasLists && windows.length === 0;
  /** The run of the last base that was found: mostly that of the next, too. */
  let lastNumber = 0;
  let lastRun: BaseRun | undefined;

  /** What the folds merged so far come to. */
  let hasTiles = false;
  let hasFold = false;
  let isCountable = true;
  let isMissing = false;
  /** The winner is a packed row of today's schema. */
  let isOwnRow = false;
  /** As of when the record is read. */
  let time = 0;

  return {
    absent: (isNullKey) => (isNullKey ? nullKey : absent),
    read(record, at, skew = 0) {
      const merged = merge(record, at, skew);
      return merged === MERGED.found ? readMerged(skew) : readUnmerged(merged);
    },
    find(record, at, skew = 0) {
      const merged = merge(record, at, skew);
      if (merged !== MERGED.found) return readUnmerged(merged);
      return isInPlace(skew) ? IN_PLACE : readMerged(skew);
    },
    found: winner,
    findBase({ bytes, view: memory }, from, to, at, skew) {
      if (!isOfRows || to - from < BASE_FOLD) return -1;
      const row = knownRun(memory.getFloat64(from, true));
      const rowAt = row === undefined ? -1 : findRowAlone(memory, from + BASE_FOLD, to);
      if (row === undefined || rowAt < 0) return -1;
      const time = servedAt(at, row);
      if (!(memory.getFloat64(rowAt + ROW_AT.known, true) <= time + skew)) return -1;
      const event = memory.getFloat64(rowAt + ROW_AT.event, true);
      if (isRowDeleted(bytes, rowAt) || missingAt(event, view.ttlMicros, time, skew) !== undefined) return -1;
      const end = rowAt + memory.getUint32(rowAt - 4, true);
      return rowCodec.matches(bytes, rowAt) && rowCodec.isWhole(bytes, rowAt, end) ? rowAt : -1;
    },
    numberPlace: (feature) => rowCodec.numberPlace(columns[feature] as number),
    give: (bytes, rowAt, feature, sink) => rowCodec.giveColumn(bytes, rowAt, columns[feature] as number, sink),
  };

  /** Undefined where it is to be asked for. What the directory knows of a run does not change. */
  function knownRun(number: number): BaseRun | undefined {
    if (number === lastNumber) return lastRun;
    const run = Number.isSafeInteger(number) && number > 0 ? directory.run(number) : undefined;
    if (run === undefined || run === null) return undefined;
    lastNumber = number;
    lastRun = run;
    return run;
  }

  function merge({ base, parts }: StoredRecord, at: Micros, skew: Micros): Merged {
    let row: BaseRun | undefined;
    if (base !== undefined) {
      const number = base.length < BASE_FOLD ? 0 : runOfBase(base);
      // Of a damaged base, the registry is not asked for a run that can't be.
      const found = Number.isSafeInteger(number) && number > 0 ? directory.run(number) : null;
      if (found === undefined) return MERGED.lacking;
      // A base without its run's row can't be told from any other: never guessed.
      if (found === null) return MERGED.invalid;
      row = found;
    }
    time = servedAt(at, row);
    winner.reset();
    hasTiles = hasFold = isMissing = false;
    isCountable = true;
    if (windows.length > 0) aggregator?.reset(tiles);
    try {
      if (base !== undefined && !add(base, BASE_FOLD, time, time + skew)) return MERGED.invalid;
      for (let i = 0; i < parts.length; i++) {
        const part = parts[i] as (typeof parts)[number];
        if (row !== undefined && !isBeside(row, part)) continue;
        if (!add(part.fold, 0, time, time + skew)) return MERGED.invalid;
      }
    } catch (error) {
      if (isDamage(error)) return MERGED.invalid;
      throw error;
    }
    if (!hasFold) return MERGED.absent;
    const isPacked = winner.at >= 0 && winner.decoded === undefined;
    isOwnRow = isPacked && rowCodec.matches(winner.bytes, winner.at);
    return isPacked && !isWinnerWhole() ? MERGED.invalid : MERGED.found;
  }

  function isWinnerWhole(): boolean {
    const { bytes, at, end } = winner;
    const stored = isOwnRow ? rowCodec : directory.schema(rowFingerprint(bytes, at));
    // Of one that nobody knows nothing is read.
    return stored === undefined || stored === null || stored.isWhole(bytes, at, end);
  }

  function readUnmerged(merged: Merged): ReadView | undefined {
    return merged === MERGED.lacking ? undefined : merged === MERGED.invalid ? invalid : absent;
  }

  function readMerged(skew: Micros): ReadView | undefined {
    const values: Value[] = new Array<Value>(size).fill(null);
    const statuses: Status[] = new Array<Status>(size).fill('NOT_FOUND');
    readWindows(time, values, statuses);
    const eventMicros = winner.isFound ? readLatest(time, skew, values, statuses) : null;
    return isMissing ? undefined : { values, statuses, eventMicros };
  }

  function isInPlace(skew: Micros): boolean {
    if (!isOwnRow || !isOfRows || isMissing) return false;
    return winner.missing(view.ttlMicros, time, skew) === undefined;
  }

  // A scheduled view is read as at the later of its base's run and its last finished run; for a time before that
  // (`--at`), as at the run that was up then.
  function servedAt(at: Micros, row: BaseRun | undefined): Micros {
    const { freshness } = view;
    if (freshness.kind === 'live') return at;
    const run = Math.max(asOfLastRun(directory, codec.version), row?.asOf ?? -Infinity);
    return run <= at ? run : Math.min(run, floorTo(at - freshness.lagMicros, freshness.everyMicros));
  }

  /** Merges a fold; false when its bytes are of another layout. */
  function add(bytes: Uint8Array, foldAt: number, time: Micros, rowTime: Micros): boolean {
    findFold(bytes, foldAt, places);
    if (!places.isReadable) return false;
    if (places.rowAt < 0 && places.tilesAt < 0 && places.waitingAt < 0) return true;
    hasFold = true;
    winner.offer(bytes, places, rowTime);
    if (windows.length > 0 && aggregator !== null) addTiles(bytes);
    if (places.waitingAt >= 0) addWaiting(bytes, parseWaiting(bytes, places.waitingAt), time);
    return true;
  }

  function addTiles(bytes: Uint8Array): void {
    // A fold without tiles is of a time when the view had no windows, others are of other windows: not to be counted.
    if (places.tilesAt < 0 || !isOurs(places)) {
      isCountable = false;
    } else if (!hasTiles) {
      aggregator?.decode(bytes, places.tilesAt, tiles);
      hasTiles = true;
    } else {
      aggregator?.reset(moreTiles);
      aggregator?.decode(bytes, places.tilesAt, moreTiles);
      aggregator?.merge(tiles, moreTiles);
    }
  }

  function isOurs({ tilesHigh, tilesLow }: FoldPlaces): boolean {
    return tilesHigh === codec.tilesFingerprint.high && tilesLow === codec.tilesFingerprint.low;
  }

  function addWaiting(bytes: Uint8Array, waiting: readonly WaitingEvent[], time: Micros): void {
    const known = waiting.filter((event) => event.knownMicros <= time);
    if (known.length === 0) return;
    const events = known.map((event) => decodeEvent(bytes, event));
    for (const event of events) winner.offerEvent(event);
    if (windows.length === 0 || aggregator === null || !isCountable) return;
    hasTiles = true;
    foldIntoTiles(codec, events, tiles as TileState);
  }

  // By column name where the event was packed under an older schema.
  function decodeEvent(bytes: Uint8Array, event: WaitingEvent): ViewEvent {
    const { eventCodec } = codec;
    const stored = storedCodec(bytes, event.rowAt, eventCodec);
    const map = stored === null ? null : columnsOf(stored, eventCodec);
    const values = codec.eventColumns.map((_, column): Value => {
      const from = stored === null || map === null ? 'changed' : map[column];
      if (typeof from !== 'number') {
        isCountable = false;
        return null;
      }
      return (stored as RowCodec).readColumn(bytes, event.rowAt, from);
    });
    return { ...event, values };
  }

  function readWindows(time: Micros, values: Value[], statuses: Status[]): void {
    for (const { feature, window } of windows) {
      const value = isCountable ? windowValue(feature, window, time) : undefined;
      if (value === undefined) {
        statuses[feature] = 'INVALID';
        continue;
      }
      values[feature] = value;
      statuses[feature] = value === null ? 'NULL_VALUE' : 'PRESENT';
    }
  }

  /** Undefined where the tiles hold what no tile does: their bytes were damaged. */
  function windowValue(feature: number, window: number, time: Micros): Value | undefined {
    try {
      // Called only where the view has an aggregator.
      return (aggregator as NonNullable<typeof aggregator>).value(tiles, window, time);
    } catch (error) {
      if (isDamage(error)) return undefined;
      if (!(error instanceof HeadraceError)) throw error;
      const name = `${view.name}__${view.features[feature]?.name}`;
      throw new HeadraceError(error.code, `${name}: ${error.message}`, { cause: error });
    }
  }

  function readLatest(at: Micros, skew: Micros, values: Value[], statuses: Status[]): Micros | null {
    const missing = winner.missing(view.ttlMicros, at, skew);
    for (const { feature, column } of latest) {
      if (missing !== undefined) statuses[feature] = missing;
      else if (!readColumn(feature, column, values, statuses)) statuses[feature] = 'INVALID';
    }
    return missing === undefined ? winner.eventMicros : null;
  }

  /** False where the value's bytes are damaged. */
  function readColumn(feature: number, column: number, values: Value[], statuses: Status[]): boolean {
    try {
      decodeColumn(feature, column, values, statuses);
      return true;
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  }

  function decodeColumn(feature: number, column: number, values: Value[], statuses: Status[]): void {
    let value: Value;
    if (winner.decoded !== undefined) {
      value = winner.decoded.values[codec.latestPlaces[column] as number] ?? null;
    } else if (isOwnRow) {
      value = rowCodec.readColumn(winner.bytes, winner.at, column);
    } else {
      const stored = storedCodec(winner.bytes, winner.at, rowCodec);
      const from = stored === null ? 'changed' : columnsOf(stored, rowCodec)?.[column];
      if (typeof from !== 'number') {
        // Added since the row was written: not there yet. Changed since: there, but not to be taken for the new one.
        statuses[feature] = from === 'missing' ? 'NOT_FOUND' : 'INVALID';
        return;
      }
      value = (stored as RowCodec).readColumn(winner.bytes, winner.at, from);
    }
    values[feature] = value;
    statuses[feature] = value === null ? 'NULL_VALUE' : 'PRESENT';
  }

  /** The codec that the row at `at` was written by; null when nobody knows it. */
  function storedCodec(bytes: Uint8Array, at: number, own: RowCodec): RowCodec | null {
    if (own.matches(bytes, at)) return own;
    const stored = directory.schema(rowFingerprint(bytes, at));
    if (stored === undefined) isMissing = true;
    return stored ?? null;
  }

  function columnsOf(stored: RowCodec, own: RowCodec): readonly ColumnSource[] | null {
    const id = `${stored.schema.fingerprint}${own.schema.fingerprint}`;
    let map = maps.get(id);
    if (map === undefined) maps.set(id, (map = mapColumns(stored.schema, own.schema)));
    return map;
  }
}

/** What decoders throw on bytes that no encoder wrote: a place outside of them, a text that is no number. */
function isDamage(error: unknown): boolean {
  return error instanceof RangeError || error instanceof SyntaxError;
}
