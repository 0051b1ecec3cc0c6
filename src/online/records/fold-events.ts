// Events folded into a record's part: the winning row, the tiles, and apart those whose known time lies ahead.

import { compareOrder, type Micros, type Value } from '../../core/index.ts';
import type { TileState } from '../../aggregation/index.ts';
import { ByteWriter } from './bytes.ts';
import { eventBatch } from './event-batch.ts';
import { createFoldPlaces, findFold, type FoldPlaces, type FoldRow, writeFold } from './fold.ts';
import { rowEvent, rowKnown } from './row-codec.ts';
import type { ViewCodec } from './view-codec.ts';
import { packWaiting, parseWaiting, type ViewEvent, type WaitingEvent } from './waiting-events.ts';

const NO_EVENTS: readonly ViewEvent[] = [];
const NONE_WAITING: readonly WaitingEvent[] = [];

/** Folds events into tiles. Tombstones count in no window. */
export function foldIntoTiles(codec: ViewCodec, events: readonly ViewEvent[], tiles: TileState): void {
  const { aggregator } = codec;
  if (aggregator === null) return;
  const counted = isAnyDeleted(events) ? events.filter((event) => !event.deleted) : events;
  if (counted.length === 0) return;
  const batch = eventBatch(aggregator, codec.inputPlaces, counted);
  for (let row = 0; row < counted.length; row++) aggregator.update(tiles, batch, row);
}

function isAnyDeleted(events: readonly ViewEvent[]): boolean {
  for (const event of events) if (event.deleted === true) return true;
  return false;
}

/** The greatest by (event, known, order); undefined for none. */
export function winnerOf(events: readonly ViewEvent[]): ViewEvent | undefined {
  let winner: ViewEvent | undefined;
  for (const event of events) if (winner === undefined || compareEvents(event, winner) >= 0) winner = event;
  return winner;
}

function compareEvents(a: ViewEvent, b: ViewEvent): number {
  return a.eventMicros - b.eventMicros || a.knownMicros - b.knownMicros || compareOrder(a.order, b.order);
}

/** A waiting event with its values. Its row is of the codec's own event schema. */
export function decodeWaiting(codec: ViewCodec, bytes: Uint8Array, event: WaitingEvent): ViewEvent {
  const values = codec.eventColumns.map((_, column): Value => codec.eventCodec.readColumn(bytes, event.rowAt, column));
  return { ...event, values };
}

/** Folds the events of one part after another. Its memory is used again for each part: one folder a codec. */
export interface PartFolder {
  /**
   * `current` (this codec's fold of the same part, undefined for none) with `events` counted too: those known by `now`
   * folded, the others waiting.
   */
  fold(current: Uint8Array | undefined, events: readonly ViewEvent[], now: Micros): Uint8Array;
}

export function createPartFolder(codec: ViewCodec): PartFolder {
  const { aggregator, tilesFingerprint, rowCodec, latestPlaces } = codec;
  const hasLatest = codec.latestColumns.length > 0;
  const places = createFoldPlaces();
  const tiles = aggregator?.create() ?? null;
  const writer = new ByteWriter();

  /** The fold whose tiles `tiles` holds: a hot key's next event finds them there. */
  let held: Uint8Array | undefined;

  const startFrom = (current: Uint8Array | undefined): readonly WaitingEvent[] => {
    const isHeld = current !== undefined && current === held;
    // Until this fold is done, for it may fail half-way.
    held = undefined;
    if (tiles !== null && !isHeld) aggregator?.reset(tiles);
    if (current === undefined) return NONE_WAITING;
    findFold(current, 0, places);
    if (tiles !== null && !isHeld && places.tilesAt >= 0) aggregator?.decode(current, places.tilesAt, tiles);
    return places.waitingAt < 0 ? NONE_WAITING : parseWaiting(current, places.waitingAt);
  };

  const rowOf = (current: Uint8Array | undefined, winner: ViewEvent | undefined): FoldRow | undefined => {
    const hasRow = current !== undefined && places.rowAt >= 0;
    if (hasRow && (winner === undefined || isBehind(winner, current, places))) {
      return {
        order: current.subarray(places.orderAt, places.orderEnd),
        row: current.subarray(places.rowAt, places.rowEnd),
      };
    }
    if (winner === undefined) return undefined;
    const { eventMicros, knownMicros, order, deleted = false } = winner;
    const values: Value[] = new Array(latestPlaces.length);
    for (let i = 0; i < latestPlaces.length; i++) values[i] = winner.values[latestPlaces[i] as number] ?? null;
    return { order, row: { codec: rowCodec, values: { eventMicros, knownMicros, deleted, values } } };
  };

  return {
    fold(current, events, now) {
      const before = startFrom(current);
      let known = events;
      let waiting = NO_EVENTS;
      if (before.length > 0 || isAnyAhead(events, now)) {
        const all = [...before.map((event) => decodeWaiting(codec, current as Uint8Array, event)), ...events];
        known = all.filter((event) => event.knownMicros <= now);
        waiting = all.filter((event) => event.knownMicros > now);
      }
      let stamp = current === undefined ? -Infinity : places.stamp;
      for (const event of known) stamp = Math.max(stamp, event.knownMicros);
      if (aggregator !== null && tiles !== null) {
        foldIntoTiles(codec, known, tiles);
        dropFarTiles(aggregator, tiles);
      }
      const row = hasLatest ? rowOf(current, winnerOf(known)) : undefined;
      const encoded =
        aggregator === null || tiles === null
          ? undefined
          : { fingerprint: tilesFingerprint, bytes: aggregator.encode(tiles) };
      writer.reset();
      writeFold(writer, { stamp, row, tiles: encoded, waiting: packWaiting(codec, waiting) });
      held = writer.take();
      return held;
    },
  };
}

function isAnyAhead(events: readonly ViewEvent[], now: Micros): boolean {
  for (const event of events) if (event.knownMicros > now) return true;
  return false;
}

function isBehind(winner: ViewEvent, bytes: Uint8Array, { rowAt, orderAt, orderEnd }: FoldPlaces): boolean {
  const byTimes = winner.eventMicros - rowEvent(bytes, rowAt) || winner.knownMicros - rowKnown(bytes, rowAt);
  return byTimes === 0 ? compareOrder(winner.order, bytes.subarray(orderAt, orderEnd)) < 0 : byTimes < 0;
}

/**
 * Bounds a part that no run has covered for long. By count, not by any clock, which may be wrong: a tile goes only once
 * more newer tiles stand than two of the longest windows can see, and lies a whole window before those.
 */
function dropFarTiles(aggregator: NonNullable<ViewCodec['aggregator']>, tiles: TileState): void {
  for (const [group, { retentionMicros, hopMicros }] of aggregator.groups.entries()) {
    const run = tiles[group];
    const kept = 2 * (Math.ceil(retentionMicros / hopMicros) + 2);
    if (run === undefined || run.size <= 2 * kept) continue;
    aggregator.trim(tiles, (run.starts[run.size - kept] as number) - hopMicros);
  }
}
