// Events that a fold must not count yet, because their known time lies ahead: a count, then each one's order and its
// packed row of the view's event schema, by length.

import type { Micros, Value } from '../../core/index.ts';
import { ByteWriter, readUint32 } from './bytes.ts';
import { isRowDeleted, ROW_HEADER, rowEvent, rowKnown } from './row-codec.ts';
import type { ViewCodec } from './view-codec.ts';

/** An event with what a view reads of it. */
export interface ViewEvent {
  readonly eventMicros: Micros;
  /** At least the event time. */
  readonly knownMicros: Micros;
  /** Its place in the order of rows; decides full ties of time. */
  readonly order: Uint8Array;
  /** A tombstone: ends `latest`, and counts in no window. */
  readonly deleted?: boolean;
  /** In the order of the view's event columns. */
  readonly values: readonly Value[];
}

const writer = new ByteWriter();

/** Undefined for no events. */
export function packWaiting(codec: ViewCodec, events: readonly ViewEvent[]): Uint8Array | undefined {
  if (events.length === 0) return undefined;
  const packed = events.map((event) => codec.packEvent(event));
  writer.reset();
  writer.uint32(events.length);
  packed.forEach((row, i) => {
    const { order } = events[i] as ViewEvent;
    writer.uint32(order.length);
    writer.raw(order);
    writer.uint32(row.length);
    writer.raw(row);
  });
  return writer.take();
}

/** An event as it lies in a fold: its row from `rowAt` on. */
export interface WaitingEvent {
  readonly eventMicros: Micros;
  readonly knownMicros: Micros;
  readonly deleted: boolean;
  readonly order: Uint8Array;
  readonly rowAt: number;
}

/** The events that start at `from`. Throws RangeError for bytes that end before them. */
export function parseWaiting(bytes: Uint8Array, from: number): WaitingEvent[] {
  const events: WaitingEvent[] = [];
  let at = from + 4;
  for (let left = readUint32(bytes, from); left > 0; left--) {
    const orderEnd = at + 4 + readUint32(bytes, at);
    const rowAt = orderEnd + 4;
    const end = rowAt + readUint32(bytes, orderEnd);
    if (end > bytes.length || end - rowAt < ROW_HEADER) throw new RangeError('a waiting event ends past its bytes');
    events.push({
      eventMicros: rowEvent(bytes, rowAt),
      knownMicros: rowKnown(bytes, rowAt),
      deleted: isRowDeleted(bytes, rowAt),
      order: bytes.subarray(at + 4, orderEnd),
      rowAt,
    });
    at = end;
  }
  return events;
}
