// Puts what a store tells of many rows' records in its place: where a record lies as it is, where that tells all of it.

import { HeadraceError, type EncodedKey, type Micros } from '../../core/index.ts';
import type { RecordTaker, StoredPart, StoredRecord } from '../online-store.ts';
import { describeKey } from './describe-key.ts';
import type { Placed } from './placed-reads.ts';
import type { RecordDirectory } from './record-directory.ts';
import { IN_PLACE, type RecordReader } from './record-reader.ts';
import type { ViewCodec } from './view-codec.ts';

/** By row, then by read; undefined for a null key. */
export type RowKeys = readonly (readonly (EncodedKey | undefined)[])[];

export interface TakeInto {
  readonly placed: Placed;
  readonly readers: readonly RecordReader[];
  readonly codecs: readonly ViewCodec[];
  readonly keys: RowKeys;
  readonly at: Micros;
  readonly skew: Micros;
}

/** A record that could not be read yet. */
interface Pending {
  readonly row: number;
  readonly read: number;
  readonly record: StoredRecord;
}

const NO_PARTS: readonly StoredPart[] = [];

export class PlacedTaker implements RecordTaker {
  readonly #into: TakeInto;
  #pending: Pending[] = [];

  constructor(into: TakeInto) {
    this.#into = into;
  }

  base(row: number, read: number, bytes: Uint8Array, from: number, to: number): void {
    const { placed, readers, at, skew } = this.#into;
    const memory = placed.enter(bytes);
    const start = (readers[read] as RecordReader).findBase(memory, from, to, at, skew);
    if (start >= 0) placed.putRow(row, read, start);
    else this.record(row, read, { base: bytes.subarray(from, to), parts: NO_PARTS });
  }

  record(row: number, read: number, record: StoredRecord): void {
    if (!this.#take(row, read, record)) this.#pending.push({ row, read, record });
  }

  /** What was placed, once all that was told could be read. */
  finish(directory: Pick<RecordDirectory, 'load'>): Placed | Promise<Placed> {
    return this.#pending.length === 0 ? this.#into.placed : this.#finishLater(directory);
  }

  // Rare: a run or a schema that this process meets for the first time.
  async #finishLater(directory: Pick<RecordDirectory, 'load'>): Promise<Placed> {
    while (this.#pending.length > 0) {
      await directory.load();
      const pending = this.#pending;
      this.#pending = [];
      for (const { row, read, record } of pending) this.record(row, read, record);
    }
    return this.#into.placed;
  }

  /** False when the directory lacks something. */
  #take(row: number, read: number, record: StoredRecord): boolean {
    const { placed, readers, at, skew } = this.#into;
    const reader = readers[read] as RecordReader;
    try {
      const found = reader.find(record, at, skew);
      if (found === undefined) return false;
      if (found === IN_PLACE) {
        placed.enter(reader.found.bytes);
        placed.putRow(row, read, reader.found.at);
      } else placed.putView(row, read, found);
      return true;
    } catch (error) {
      const { codecs, keys } = this.#into;
      throw nameKey(error, codecs[read] as ViewCodec, keys[row]?.[read] as EncodedKey);
    }
  }
}

/** The error that a record of the key gave. */
export function nameKey(error: unknown, codec: ViewCodec, key: EncodedKey): unknown {
  if (!(error instanceof HeadraceError) || error.code !== 'HR_INTEGER_OVERFLOW') return error;
  const named = `${error.message} (key ${describeKey(codec.entity, key)})`;
  return new HeadraceError('HR_INTEGER_OVERFLOW', named, { cause: error });
}
