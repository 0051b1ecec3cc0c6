// One record's bytes to a view's feature values at a time T, compiled once per view; what a feature read does per key.
// Layers are merged in scratch states that are used again for every record.

import { HeadraceError, type Micros, type Value } from '../core/index.ts';
import type { TileState } from '../aggregation/index.ts';
import { foldInto, decodeEvents } from './fold-events.ts';
import { createLayerPlaces, findLayer, type LayerPlaces } from './layer.ts';
import type { FullRecord, StoredRecord } from './online-store.ts';
import { type DecodedEvent, parseEvents } from './pushed-events.ts';
import { compareTimes, isRowDeleted, rowEvent, rowFingerprint, rowKnown, rowOrder } from './row-codec.ts';
import { type ColumnSource, mapColumns } from './row-schema.ts';
import { type SchemaDirectory, UnknownSchema } from './schema-directory.ts';
import type { ViewCodec } from './view-codec.ts';

export type Status = 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE' | 'INVALID';

/** One view's part of a read, in the order of the view's features. */
export interface ReadView {
  readonly values: readonly Value[];
  readonly statuses: readonly Status[];
  /** Event time of the row that the `latest` features came from; null when there is none. */
  readonly eventMicros: Micros | null;
}

/** Thrown when T lies before something already folded in: the caller reads the events one by one. */
export class NeedsEvents extends Error {}

export interface RecordReader {
  /** Nothing is stored under the key (or the key is null: then counts are null too). */
  absent(isNullKey: boolean): ReadView;
  /** Values at `at`. Throws UnknownSchema, NeedsEvents, and HR_INTEGER_OVERFLOW (naming the feature). */
  read(record: StoredRecord | FullRecord, at: Micros, watermark: Micros | undefined): ReadView;
}

/** Computes the features at `wanted` (indexes into the view's); the others are left null and NOT_FOUND. */
export function createRecordReader(
  codec: ViewCodec,
  schemas: SchemaDirectory,
  wanted: readonly number[] = codec.view.features.map((_, index) => index),
): RecordReader {
  const { view, aggregator, rowCodec } = codec;
  const size = view.features.length;
  const latest = wanted.flatMap((feature) => {
    const { aggregation } = view.features[feature] as (typeof view.features)[number];
    return aggregation.op === 'latest' ? [{ feature, column: codec.latestColumns.indexOf(aggregation.column) }] : [];
  });
  const windows = wanted.flatMap((feature) => {
    const window = aggregator?.features.indexOf(feature) ?? -1;
    return window < 0 ? [] : [{ feature, window }];
  });
  const base = createLayerPlaces();
  const pushed = createLayerPlaces();
  const tiles = aggregator?.create() ?? [];
  const pushedTiles = aggregator?.create() ?? [];
  const emptyValues: Value[] = new Array<Value>(size).fill(null);
  if (aggregator !== null) {
    for (const { feature, window } of windows) emptyValues[feature] = aggregator.value(tiles, window, 0);
  }
  const notFound: Status[] = new Array<Status>(size).fill('NOT_FOUND');
  const absent: ReadView = { values: emptyValues, statuses: notFound, eventMicros: null };
  const nullKey: ReadView = { values: new Array<Value>(size).fill(null), statuses: notFound, eventMicros: null };
  const maps = new Map<string, readonly ColumnSource[] | null>();

  const readLatest = (winner: Winner, at: Micros, values: Value[], statuses: Status[]): Micros | null => {
    const event = winner.event;
    const status = winner.status(view.ttlMicros, at);
    for (const { feature, column } of latest) {
      if (status !== undefined) statuses[feature] = status;
      else readStored(winner, feature, column, values, statuses);
    }
    return status === undefined ? event : null;
  };

  const readStored = (winner: Winner, feature: number, column: number, values: Value[], statuses: Status[]): void => {
    if (winner.decoded !== undefined) {
      const value = winner.decoded.values[codec.latestPlaces[column] as number] ?? null;
      values[feature] = value;
      statuses[feature] = value === null ? 'NULL_VALUE' : 'PRESENT';
      return;
    }
    let from: ColumnSource = column;
    let reader = rowCodec;
    if (!rowCodec.matches(winner.bytes, winner.at)) {
      const fingerprint = rowFingerprint(winner.bytes, winner.at);
      const stored = schemas.find(fingerprint);
      if (stored === undefined) throw new UnknownSchema(fingerprint);
      let map = maps.get(fingerprint);
      if (map === undefined) {
        maps.set(fingerprint, (map = stored === null ? null : mapColumns(stored.schema, rowCodec.schema)));
      }
      from = map === null ? 'changed' : (map[column] as ColumnSource);
      if (stored !== null) reader = stored;
    }
    if (typeof from !== 'number') {
      // Added since the row was written: not there yet. Changed since: there, but not to be taken for the new one.
      statuses[feature] = from === 'missing' ? 'NOT_FOUND' : 'INVALID';
      return;
    }
    const value = reader.readColumn(winner.bytes, winner.at, from);
    values[feature] = value;
    statuses[feature] = value === null ? 'NULL_VALUE' : 'PRESENT';
  };

  const isOurs = (layer: LayerPlaces): boolean =>
    layer.tilesHigh === codec.tilesFingerprint.high &&
    layer.tilesLow === codec.tilesFingerprint.low &&
    !layer.isIncomplete;

  const winner = createWinner();

  return {
    absent: (isNullKey) => (isNullKey ? nullKey : absent),
    read(record, at, watermark) {
      const values: Value[] = new Array<Value>(size).fill(null);
      const statuses: Status[] = new Array<Status>(size).fill('NOT_FOUND');
      base.rowAt = base.tilesAt = base.waitingAt = pushed.rowAt = pushed.tilesAt = pushed.waitingAt = -1;
      if (record.base !== undefined) findLayer(record.base, base);
      // A scheduled view is read as at its last run; a record that a newer run has already replaced, as at that one.
      const time = codec.isLive
        ? at
        : Math.min(at, Math.max(watermark ?? -Infinity, record.base === undefined ? -Infinity : base.stamp));
      let events: DecodedEvent[] | undefined;
      let hasPushed = false;
      if (codec.isLive && record.pushed !== undefined) {
        findLayer(record.pushed, pushed);
        if (pushed.stamp > time) {
          if (!('pushedLog' in record)) throw new NeedsEvents();
          const known = parseEvents(record.pushedLog).filter((event) => event.knownMicros <= time);
          events = decodeEvents(codec, known, schemas);
          pushed.rowAt = pushed.tilesAt = -1;
        } else {
          hasPushed = true;
          if (pushed.waitingAt >= 0) {
            const waiting = parseEvents(record.pushed, pushed.waitingAt);
            events = decodeEvents(
              codec,
              waiting.filter((event) => event.knownMicros <= time),
              schemas,
            );
          }
        }
      }
      const isUnreadable = (record.base !== undefined && !base.isReadable) || (hasPushed && !pushed.isReadable);
      if (isUnreadable) {
        for (const feature of wanted) statuses[feature] = 'INVALID';
        return { values, statuses, eventMicros: null };
      }
      if (base.rowAt < 0 && base.tilesAt < 0 && !hasPushed && (events === undefined || events.length === 0)) {
        return absent;
      }

      let isValid = true;
      if (windows.length > 0 && aggregator !== null) {
        aggregator.reset(tiles);
        // A row without tiles was written when the view had no windows: its events can't be counted.
        isValid = !(base.rowAt >= 0 && base.tilesAt < 0) && !(pushed.rowAt >= 0 && pushed.tilesAt < 0);
        if (base.tilesAt >= 0 && record.base !== undefined) {
          isValid = isValid && isOurs(base);
          if (isValid) aggregator.decode(record.base, base.tilesAt, tiles);
        }
        if (pushed.tilesAt >= 0 && record.pushed !== undefined) {
          isValid = isValid && isOurs(pushed);
          if (isValid) mergePushed(record.pushed);
        }
      }
      winner.reset();
      if (base.rowAt >= 0 && record.base !== undefined) winner.offer(record.base, base.rowAt, time);
      if (pushed.rowAt >= 0 && record.pushed !== undefined) winner.offer(record.pushed, pushed.rowAt, time);
      if (events !== undefined && events.length > 0) {
        const fold = foldInto(codec, events, windows.length > 0 ? tiles : null);
        isValid = isValid && !fold.isIncomplete;
        if (fold.winner !== undefined) winner.offerDecoded(fold.winner);
      }
      for (const { feature, window } of windows) {
        if (!isValid || aggregator === null) {
          statuses[feature] = 'INVALID';
          continue;
        }
        const value = windowValue(feature, window, time);
        values[feature] = value;
        statuses[feature] = value === null ? 'NULL_VALUE' : 'PRESENT';
      }
      return { values, statuses, eventMicros: winner.isFound() ? readLatest(winner, time, values, statuses) : null };
    },
  };

  function mergePushed(bytes: Uint8Array): void {
    if (aggregator === null) return;
    if (base.tilesAt < 0) {
      aggregator.decode(bytes, pushed.tilesAt, tiles);
      return;
    }
    aggregator.reset(pushedTiles);
    aggregator.decode(bytes, pushed.tilesAt, pushedTiles);
    aggregator.merge(tiles as TileState, pushedTiles as TileState);
  }

  function windowValue(feature: number, window: number, time: Micros): Value {
    try {
      // Called only where the view has an aggregator.
      return (aggregator as NonNullable<typeof aggregator>).value(tiles, window, time);
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error;
      const name = `${view.name}__${view.features[feature]?.name}`;
      throw new HeadraceError(error.code, `${name}: ${error.message}`, { cause: error });
    }
  }
}

type Winner = ReturnType<typeof createWinner>;

/** The newest row offered so far; of full ties the later offer wins. */
function createWinner() {
  return {
    bytes: new Uint8Array(0) as Uint8Array,
    at: -1,
    event: 0,
    known: 0,
    order: 0,
    deleted: false,
    decoded: undefined as DecodedEvent | undefined,
    reset(): void {
      this.at = -1;
      this.decoded = undefined;
    },
    isFound(): boolean {
      return this.at >= 0 || this.decoded !== undefined;
    },
    /** A row not known at `at` is passed over: a base may be of a later time than the one asked for. */
    offer(bytes: Uint8Array, rowAt: number, at: Micros): void {
      const known = rowKnown(bytes, rowAt);
      if (known > at) return;
      const event = rowEvent(bytes, rowAt);
      const order = rowOrder(bytes, rowAt);
      if (this.isFound() && (event - this.event || known - this.known || order - this.order) < 0) return;
      this.bytes = bytes;
      this.at = rowAt;
      this.event = event;
      this.known = known;
      this.order = order;
      this.deleted = isRowDeleted(bytes, rowAt);
    },
    offerDecoded(candidate: DecodedEvent): void {
      const stored = { eventMicros: this.event, knownMicros: this.known, order: this.order };
      if (this.isFound() && compareTimes(candidate, stored) < 0) return;
      this.decoded = candidate;
      this.event = candidate.eventMicros;
      this.deleted = candidate.deleted;
    },
    /** Why the winner gives no value at `at`; undefined when it does. */
    status(ttlMicros: Micros | null, at: Micros): Status | undefined {
      if (this.deleted || this.event > at) return 'NOT_FOUND';
      return ttlMicros !== null && this.event < at - ttlMicros ? 'OUTSIDE_MAX_AGE' : undefined;
    },
  };
}
