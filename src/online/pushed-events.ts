// The pushed events of one record, one by one: a count, then each one's arrival and its packed row of the view's event
// schema, by length.

import { compareValues, type Value } from '../core/index.ts';
import { type ByteWriter, readFloat64, readUint32 } from './bytes.ts';
import type { Coverage } from './layer.ts';
import { compareTimes, isRowDeleted, type RowTimes, rowEvent, rowKnown, rowOrder } from './row-codec.ts';

/** An event as it lies in a record: its packed row, with the times already read. */
export interface LoggedEvent extends RowTimes {
  /** When the push log took it in, in micros: grows within a process, and hardly ever repeats across them. */
  readonly arrival: number;
  readonly deleted: boolean;
  readonly row: Uint8Array;
}

/** An event with the values that a view reads of it. */
export interface DecodedEvent extends LoggedEvent {
  /** In the order of the view's event columns. */
  readonly values: readonly Value[];
  /** Whether the row's schema lacked one of the columns, or had it under another type or code. */
  readonly isIncomplete: boolean;
}

export function loggedEvent(row: Uint8Array, arrival: number): LoggedEvent {
  return {
    arrival,
    eventMicros: rowEvent(row, 0),
    knownMicros: rowKnown(row, 0),
    order: rowOrder(row, 0),
    deleted: isRowDeleted(row, 0),
    row,
  };
}

export function writeEvents(writer: ByteWriter, events: readonly LoggedEvent[]): void {
  writer.uint32(events.length);
  for (const event of events) {
    writer.float64(event.arrival);
    writer.uint32(event.row.length);
    writer.raw(event.row);
  }
}

/** The events in `bytes` from `from` on; their rows are views into it. */
export function parseEvents(bytes: Uint8Array | undefined, from = 0): LoggedEvent[] {
  if (bytes === undefined) return [];
  const events: LoggedEvent[] = [];
  let at = from + 4;
  for (let left = readUint32(bytes, from); left > 0; left--) {
    const length = readUint32(bytes, at + 8);
    events.push(loggedEvent(bytes.subarray(at + 12, at + 12 + length), readFloat64(bytes, at)));
    at += 12 + length;
  }
  return events;
}

/** The same arrival of the same content: a repeat, which must not count twice. */
export function isSameEvent(a: LoggedEvent, b: LoggedEvent): boolean {
  return a.arrival === b.arrival && compareTimes(a, b) === 0 && Buffer.compare(a.row, b.row) === 0;
}

/** Whether a base of that coverage holds the event: then it must not be counted beside it. */
export function isCovered({ knownMicros, arrival }: LoggedEvent, { asOf, through }: Coverage): boolean {
  return knownMicros <= asOf && arrival <= through;
}

/** Order of arrival; equal arrivals by content, so that a fold never depends on the order of writes. */
export function compareArrival(a: DecodedEvent, b: DecodedEvent): number {
  return a.order - b.order || a.arrival - b.arrival || compareContent(a, b);
}

/** The total order of `latest`: (event, known, created order, arrival, content). */
export function compareEvents(a: DecodedEvent, b: DecodedEvent): number {
  return compareTimes(a, b) || a.arrival - b.arrival || compareContent(a, b);
}

function compareContent(a: DecodedEvent, b: DecodedEvent): number {
  for (let i = 0; i < a.values.length; i++) {
    const order = compareValues(a.values[i] ?? null, b.values[i] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}
