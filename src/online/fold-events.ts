// Pushed events into a pushed layer: the winning row, the tiles, and apart those whose known time lies ahead.

import type { Micros, Value } from '../core/index.ts';
import type { TileState } from '../aggregation/index.ts';
import { ByteWriter } from './bytes.ts';
import { eventBatch } from './event-batch.ts';
import { createLayerPlaces, findLayer, writeLayer } from './layer.ts';
import { compareArrival, compareEvents, type DecodedEvent, type LoggedEvent, writeEvents } from './pushed-events.ts';
import { compareTimes, rowEvent, rowFingerprint, rowKnown, rowOrder } from './row-codec.ts';
import { mapColumns } from './row-schema.ts';
import { type SchemaDirectory, UnknownSchema } from './schema-directory.ts';
import type { ViewCodec } from './view-codec.ts';

/** Reads the columns that the view needs of each event, whatever schema it was written under. */
export function decodeEvents(
  codec: ViewCodec,
  events: readonly LoggedEvent[],
  schemas: SchemaDirectory,
): DecodedEvent[] {
  return events.map((event) => {
    if (codec.eventCodec.matches(event.row, 0)) {
      const values = codec.eventColumns.map((_, column) => codec.eventCodec.readColumn(event.row, 0, column));
      return { ...event, values, isIncomplete: false };
    }
    const fingerprint = rowFingerprint(event.row, 0);
    const stored = schemas.find(fingerprint);
    if (stored === undefined) throw new UnknownSchema(fingerprint);
    const sources = stored === null ? [] : mapColumns(stored.schema, codec.eventCodec.schema);
    const values = codec.eventColumns.map((_, column): Value => {
      const from = sources[column];
      return stored === null || typeof from !== 'number' ? null : stored.readColumn(event.row, 0, from);
    });
    const isIncomplete = stored === null || sources.some((from) => typeof from !== 'number');
    return { ...event, values, isIncomplete };
  });
}

/** What a fold of events comes to. */
export interface Fold {
  readonly winner: DecodedEvent | undefined;
  /** In memory that the codec's next fold reuses. */
  readonly tiles: TileState | null;
  readonly isIncomplete: boolean;
  /** Greatest known time folded in; −∞ for none. */
  readonly stamp: Micros;
}

/** Folds events into `tiles` (emptied or decoded by the caller). Tombstones end `latest` and count in no window. */
export function foldInto(codec: ViewCodec, events: readonly DecodedEvent[], tiles: TileState | null): Fold {
  const arrived = [...events].sort(compareArrival);
  let winner: DecodedEvent | undefined;
  let stamp = -Infinity;
  for (const event of arrived) {
    stamp = Math.max(stamp, event.knownMicros);
    if (winner === undefined || compareEvents(event, winner) >= 0) winner = event;
  }
  const { aggregator } = codec;
  if (aggregator !== null && tiles !== null) {
    const counted = arrived.filter((event) => !event.deleted);
    const batch = eventBatch(aggregator.inputs, codec.inputPlaces, counted);
    counted.forEach((_, row) => aggregator.update(tiles, batch, row));
  }
  return { winner, tiles, isIncomplete: arrived.some((event) => event.isIncomplete), stamp };
}

const layerWriter = new ByteWriter();
const waitingWriter = new ByteWriter();

/** The pushed layer of all of a record's pushed events; undefined when there are none. */
export function foldPushed(
  codec: ViewCodec,
  events: readonly LoggedEvent[],
  schemas: SchemaDirectory,
): Uint8Array | undefined {
  if (events.length === 0) return undefined;
  const now = codec.clock.nowMicros();
  const known = decodeEvents(
    codec,
    events.filter((event) => event.knownMicros <= now),
    schemas,
  );
  const waiting = events.filter((event) => event.knownMicros > now);
  return packFold(codec, foldInto(codec, known, codec.aggregator?.create() ?? null), undefined, waiting);
}

/**
 * The pushed layer `current` with `events` folded in; undefined when it can't be extended: it is of another schema,
 * holds waiting events, or a window needs its events in order of arrival.
 */
export function extendPushed(
  codec: ViewCodec,
  current: Uint8Array,
  events: readonly LoggedEvent[],
  greatestOrder: number,
  schemas: SchemaDirectory,
): Uint8Array | undefined {
  const places = createLayerPlaces();
  findLayer(current, places);
  const { aggregator, tilesFingerprint } = codec;
  if (!places.isReadable || places.isIncomplete || places.waitingAt >= 0) return undefined;
  if (aggregator !== null) {
    if (places.tilesAt < 0) return undefined;
    if (places.tilesHigh !== tilesFingerprint.high || places.tilesLow !== tilesFingerprint.low) return undefined;
    if (aggregator.isOrderSensitive && events.some((event) => event.order <= greatestOrder)) return undefined;
  }
  if (places.rowAt >= 0 && !codec.rowCodec.matches(current, places.rowAt)) return undefined;
  const now = codec.clock.nowMicros();
  const tiles = aggregator?.create() ?? null;
  if (aggregator !== null && tiles !== null) aggregator.decode(current, places.tilesAt, tiles);
  const known = decodeEvents(
    codec,
    events.filter((event) => event.knownMicros <= now),
    schemas,
  );
  const waiting = events.filter((event) => event.knownMicros > now);
  const fold = foldInto(codec, known, tiles);
  let row: Uint8Array | undefined;
  if (places.rowAt >= 0) {
    const stored = {
      eventMicros: rowEvent(current, places.rowAt),
      knownMicros: rowKnown(current, places.rowAt),
      order: rowOrder(current, places.rowAt),
    };
    const order = fold.winner === undefined ? -1 : compareTimes(fold.winner, stored);
    // A full tie is decided by content, which takes all events: fold afresh.
    if (order === 0) return undefined;
    if (order < 0) row = current.subarray(places.rowAt, endOfRow(places.rowAt, current));
  }
  return packFold(codec, { ...fold, stamp: Math.max(fold.stamp, places.stamp) }, row, waiting);
}

// findLayer put a row's start just past its length.
function endOfRow(rowAt: number, bytes: Uint8Array): number {
  return rowAt + Buffer.from(bytes.buffer, bytes.byteOffset + rowAt - 4, 4).readUInt32LE();
}

function packFold(
  codec: ViewCodec,
  fold: Fold,
  keptRow: Uint8Array | undefined,
  waiting: readonly LoggedEvent[],
): Uint8Array {
  const { aggregator } = codec;
  let tiles: { fingerprint: ViewCodec['tilesFingerprint']; bytes: Uint8Array } | undefined;
  if (aggregator !== null && fold.tiles !== null) {
    if (fold.stamp !== -Infinity) aggregator.trim(fold.tiles, fold.stamp);
    tiles = { fingerprint: codec.tilesFingerprint, bytes: aggregator.encode(fold.tiles) };
  }
  let waitingBytes: Uint8Array | undefined;
  if (waiting.length > 0) {
    waitingWriter.reset();
    writeEvents(waitingWriter, waiting);
    waitingBytes = waitingWriter.take();
  }
  layerWriter.reset();
  writeLayer(layerWriter, {
    stamp: fold.stamp,
    row: keptRow ?? (fold.winner === undefined ? undefined : codec.packRow(latestOf(codec, fold.winner))),
    tiles,
    isIncomplete: fold.isIncomplete,
    waiting: waitingBytes,
  });
  return layerWriter.take();
}

function latestOf(codec: ViewCodec, event: DecodedEvent) {
  return { ...event, values: codec.latestPlaces.map((place) => event.values[place] ?? null) };
}
