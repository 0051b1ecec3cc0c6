// The newest row offered so far, of a record's base and parts, without decoding any of them.

import { compareOrder, type Micros } from '../../core/index.ts';
import type { FoldPlaces } from './fold.ts';
import { isRowDeleted, rowEvent, rowKnown } from './row-codec.ts';
import type { ViewEvent } from './waiting-events.ts';

/** Why a row gives no value at a time. */
export type NoValue = 'NOT_FOUND' | 'OUTSIDE_MAX_AGE';

/** Undefined when a row of the event time gives a value at `at`. */
export function missingAt(event: Micros, ttlMicros: Micros | null, at: Micros, skew: Micros): NoValue | undefined {
  if (event > at + skew) return 'NOT_FOUND';
  return ttlMicros !== null && event < at - ttlMicros ? 'OUTSIDE_MAX_AGE' : undefined;
}

/** Used again for each record; of full ties, order included, the later offer wins. */
export class Winner {
  bytes: Uint8Array = new Uint8Array(0);
  at = -1;
  end = -1;
  eventMicros = 0;
  /** The winner where it is an event that waited, not a packed row. */
  decoded: ViewEvent | undefined;
  #known = 0;
  #isDeleted = false;
  #orderBytes: Uint8Array = this.bytes;
  #orderAt = 0;
  #orderEnd = 0;

  reset(): void {
    this.at = -1;
    this.decoded = undefined;
  }

  get isFound(): boolean {
    return this.at >= 0 || this.decoded !== undefined;
  }

  /** A row not known at `at` is passed over: a base may be of a later time than the one asked for. */
  offer(bytes: Uint8Array, { rowAt, rowEnd, orderAt, orderEnd }: FoldPlaces, at: Micros): void {
    if (rowAt < 0) return;
    const known = rowKnown(bytes, rowAt);
    if (known > at) return;
    const event = rowEvent(bytes, rowAt);
    if (this.#isBehind(event, known, bytes, orderAt, orderEnd)) return;
    this.#take(event, known, isRowDeleted(bytes, rowAt), bytes, orderAt, orderEnd);
    this.bytes = bytes;
    this.at = rowAt;
    this.end = rowEnd;
    this.decoded = undefined;
  }

  offerEvent(event: ViewEvent): void {
    const { eventMicros, knownMicros, order } = event;
    if (this.#isBehind(eventMicros, knownMicros, order, 0, order.length)) return;
    this.#take(eventMicros, knownMicros, event.deleted === true, order, 0, order.length);
    this.decoded = event;
  }

  /** Undefined when the winner gives a value at `at`. */
  missing(ttlMicros: Micros | null, at: Micros, skew: Micros): NoValue | undefined {
    return this.#isDeleted ? 'NOT_FOUND' : missingAt(this.eventMicros, ttlMicros, at, skew);
  }

  #isBehind(event: Micros, known: Micros, order: Uint8Array, from: number, to: number): boolean {
    if (!this.isFound) return false;
    const byTimes = event - this.eventMicros || known - this.#known;
    if (byTimes !== 0) return byTimes < 0;
    const own = this.#orderBytes.subarray(this.#orderAt, this.#orderEnd);
    return compareOrder(order.subarray(from, to), own) < 0;
  }

  #take(event: Micros, known: Micros, isDeleted: boolean, order: Uint8Array, from: number, to: number): void {
    this.eventMicros = event;
    this.#known = known;
    this.#isDeleted = isDeleted;
    this.#orderBytes = order;
    this.#orderAt = from;
    this.#orderEnd = to;
  }
}
