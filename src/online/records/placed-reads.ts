// What a read of many rows found, each record where it lies: a value is decoded when it is written into an answer, and
// never held. Only records of which more must be known than one packed row are values already.

import type { DataType, Micros } from '../../core/index.ts';
import type { ReadView, RecordReader, Status } from './record-reader.ts';
import type { ValueSink } from './value-sink.ts';

/** A status by its code, which is its index. */
export const STATUSES: readonly Status[] = ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID'];

export const PRESENT = 0;
const NULL_VALUE = 1;

export interface PlacedReads {
  /** How many rows were asked. */
  readonly rows: number;
  /** Gives the sink the value of feature `feature` of the service's read `read`; gives the code of its status. */
  give(row: number, read: number, feature: number, sink: ValueSink): number;
  /**
   * Copies a feature's numbers, in words of 32 bits, one or two as their type is wide, to `to` from `at` on, one a row. `rest` is
   * called for each row that has none to be copied. False where the feature is no number: then nothing was done.
   */
  copy(read: number, feature: number, to: Int32Array, at: number, rest: (row: number) => void): boolean;
  /** When the newest row of the record happened; null for none. */
  eventMicros(row: number, read: number): Micros | null;
}

/** Of each place the memory that its packed row lies in, and where; undefined for any other. */
interface Packed {
  readonly memories: readonly (DataView | undefined)[];
  readonly starts: Int32Array;
}

/** Filled by the reader that asks; `place` is row × width + read. */
export class Placed implements PlacedReads {
  readonly rows: number;
  readonly #readers: readonly RecordReader[];
  readonly #types: readonly (readonly DataType[])[];
  readonly #width: number;
  /** Undefined where the values lie in the packed row at `#ats` of `#bytes`. */
  readonly #views: (ReadView | undefined)[];
  readonly #bytes: (Uint8Array | undefined)[];
  readonly #ats: Int32Array;
  readonly #events: Float64Array;
  #packed: Packed | undefined;

  /** `types` are those of each read's features. */
  constructor(rows: number, readers: readonly RecordReader[], types: readonly (readonly DataType[])[]) {
    const size = rows * readers.length;
    this.rows = rows;
    this.#readers = readers;
    this.#types = types;
    this.#width = readers.length;
    this.#views = new Array<ReadView | undefined>(size);
    this.#bytes = new Array<Uint8Array | undefined>(size);
    this.#ats = new Int32Array(size);
    this.#events = new Float64Array(size);
  }

  putView(place: number, view: ReadView): void {
    this.#views[place] = view;
  }

  /** What `find` of the read's reader found in place. */
  putFound(place: number, { found }: RecordReader): void {
    this.#views[place] = undefined;
    this.#bytes[place] = found.bytes;
    this.#ats[place] = found.at;
    this.#events[place] = found.eventMicros;
  }

  give(row: number, read: number, feature: number, sink: ValueSink): number {
    const place = row * this.#width + read;
    const view = this.#views[place];
    if (view !== undefined) return this.#giveView(view, read, feature, sink);
    const reader = this.#readers[read] as RecordReader;
    const isThere = reader.give(this.#bytes[place] as Uint8Array, this.#ats[place] as number, feature, sink);
    return isThere ? PRESENT : NULL_VALUE;
  }

  copy(read: number, feature: number, to: Int32Array, at: number, rest: (row: number) => void): boolean {
    const number = (this.#readers[read] as RecordReader).numberPlace(feature);
    if (number === undefined) return false;
    const { offset, width, nullAt, nullBit } = number;
    const { memories, starts } = (this.#packed ??= this.#findPacked());
    let place = read;
    let next = at;
    for (let row = 0; row < this.rows; row++) {
      const memory = memories[place];
      const start = starts[place] as number;
      if (memory === undefined || (memory.getUint8(start + nullAt) & nullBit) !== 0) rest(row);
      else {
        to[next] = memory.getInt32(start + offset, true);
        if (width === 8) to[next + 1] = memory.getInt32(start + offset + 4, true);
      }
      next += width >> 2;
      place += this.#width;
    }
    return true;
  }

  /** Several records lie in one piece of memory mostly: a view of each is made once. */
  #findPacked(): Packed {
    const size = this.#ats.length;
    const memories = new Array<DataView | undefined>(size).fill(undefined);
    const starts = new Int32Array(size);
    let last: DataView | undefined;
    for (let place = 0; place < size; place++) {
      const bytes = this.#views[place] === undefined ? this.#bytes[place] : undefined;
      if (bytes === undefined) continue;
      const { buffer } = bytes;
      if (last?.buffer !== buffer) last = new DataView(buffer);
      memories[place] = last;
      starts[place] = bytes.byteOffset + (this.#ats[place] as number);
    }
    return { memories, starts };
  }

  eventMicros(row: number, read: number): Micros | null {
    const place = row * this.#width + read;
    const view = this.#views[place];
    return view === undefined ? (this.#events[place] as number) : view.eventMicros;
  }

  #giveView(view: ReadView, read: number, feature: number, sink: ValueSink): number {
    const value = view.values[feature] ?? null;
    if (value === null) sink.none();
    else sink.value((this.#types[read] as readonly DataType[])[feature] as DataType, value);
    return STATUSES.indexOf(view.statuses[feature] as Status);
  }
}
