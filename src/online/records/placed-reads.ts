// What a read of many rows found, each record where it lies: a value is decoded when it is written into an answer, and
// never held. Only records of which more must be known than one packed row are values already.

import type { DataType, Micros } from '../../core/index.ts';
import type { PackedMemory, ReadView, RecordReader, Status } from './record-reader.ts';
import { ROW_AT } from './row-codec.ts';
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

/** Where no packed row is. */
const NOWHERE = -1;

/** Filled by the reader that asks. A place is read × rows + row: a read's records follow each other. */
export class Placed implements PlacedReads {
  readonly rows: number;
  readonly #readers: readonly RecordReader[];
  readonly #types: readonly (readonly DataType[])[];
  /** Where the packed row starts in the place's memory. */
  readonly #starts: Int32Array;
  /** Of places without a packed row; undefined where nothing is stored. */
  #views: (ReadView | undefined)[] | undefined;
  /** Most reads' records all lie in the first. */
  readonly #memories: PackedMemory[] = [];
  /** By place, once there is a second memory. */
  #memoryOf: Int32Array | undefined;
  #last = NOWHERE;

  /** `types` are those of each read's features. */
  constructor(rows: number, readers: readonly RecordReader[], types: readonly (readonly DataType[])[]) {
    this.rows = rows;
    this.#readers = readers;
    this.#types = types;
    this.#starts = new Int32Array(rows * readers.length).fill(NOWHERE);
  }

  /** The memory that the next rows lie in. */
  enter(bytes: Uint8Array): PackedMemory {
    const memories = this.#memories;
    let last = memories[this.#last];
    if (last?.bytes !== bytes) {
      last = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
      this.#last = memories.push(last) - 1;
      if (this.#last > 0) this.#memoryOf ??= new Int32Array(this.#starts.length);
    }
    return last;
  }

  /** In the memory that was entered last. */
  putRow(row: number, read: number, start: number): void {
    const place = read * this.rows + row;
    this.#starts[place] = start;
    if (this.#memoryOf !== undefined) this.#memoryOf[place] = this.#last;
  }

  putView(row: number, read: number, view: ReadView): void {
    this.#views ??= new Array<ReadView | undefined>(this.#starts.length).fill(undefined);
    this.#views[read * this.rows + row] = view;
  }

  give(row: number, read: number, feature: number, sink: ValueSink): number {
    const place = read * this.rows + row;
    const start = this.#starts[place] as number;
    if (start === NOWHERE) return this.#giveView(this.#viewAt(place, read), read, feature, sink);
    const reader = this.#readers[read] as RecordReader;
    return reader.give(this.#memoryAt(place).bytes, start, feature, sink) ? PRESENT : NULL_VALUE;
  }

  copy(read: number, feature: number, to: Int32Array, at: number, rest: (row: number) => void): boolean {
    const number = (this.#readers[read] as RecordReader).numberPlace(feature);
    if (number === undefined) return false;
    const { offset, width, nullAt, nullBit } = number;
    const { rows } = this;
    const starts = this.#starts;
    const first = read * rows;
    let memory = this.#memories[0]?.view;
    let next = at;
    for (let row = 0; row < rows; row++) {
      const start = starts[first + row] as number;
      if (this.#memoryOf !== undefined && start !== NOWHERE) memory = this.#memoryAt(first + row).view;
      if (start === NOWHERE || memory === undefined || (memory.getUint8(start + nullAt) & nullBit) !== 0) rest(row);
      else {
        to[next] = memory.getInt32(start + offset, true);
        if (width === 8) to[next + 1] = memory.getInt32(start + offset + 4, true);
      }
      next += width >> 2;
    }
    return true;
  }

  eventMicros(row: number, read: number): Micros | null {
    const place = read * this.rows + row;
    const start = this.#starts[place] as number;
    if (start === NOWHERE) return this.#viewAt(place, read).eventMicros;
    return this.#memoryAt(place).view.getFloat64(start + ROW_AT.event, true);
  }

  #memoryAt(place: number): PackedMemory {
    const memoryOf = this.#memoryOf;
    // A packed row lies in a memory.
    return this.#memories[memoryOf === undefined ? 0 : (memoryOf[place] as number)] as PackedMemory;
  }

  #viewAt(place: number, read: number): ReadView {
    return this.#views?.[place] ?? (this.#readers[read] as RecordReader).absent(false);
  }

  #giveView(view: ReadView, read: number, feature: number, sink: ValueSink): number {
    const value = view.values[feature] ?? null;
    if (value === null) sink.none();
    else sink.value((this.#types[read] as readonly DataType[])[feature] as DataType, value);
    return STATUSES.indexOf(view.statuses[feature] as Status);
  }
}
