// The online store port: where one entity key's newest state of a view lies, for reading at request time.

import type { EncodedKey } from '../core/index.ts';

/** One entity key's record of one view. */
export interface RecordRef {
  readonly entity: string;
  readonly key: EncodedKey;
  readonly view: string;
}

/**
 * What the store keeps for a RecordRef; it looks at nothing inside the bytes.
 * `base` is what materialize wrote, as of its watermark; `pushed` is what was pushed since, folded for reading;
 * `pushedLog` holds the same pushed events one by one, so that a later materialize can drop exactly those it covers.
 */
export interface StoredRecord {
  readonly base: Uint8Array | undefined;
  readonly pushed: Uint8Array | undefined;
}

export interface FullRecord extends StoredRecord {
  readonly pushedLog: Uint8Array | undefined;
}

/** New bytes for a record; `undefined` for a part removes it. Giving `null` instead leaves the record as it is. */
export interface RecordChange extends FullRecord {
  /** When the store may forget the record by itself (physical expiry, with slack); undefined is never. */
  readonly expiresAtMicros?: number;
}

/**
 * Implemented by `lmdb/` and `redis/`; both pass `test/contract/online-store.test.ts`.
 * Errors: HR_ONLINE_UNAVAILABLE when it can't be reached, HR_STORAGE_FULL when it can't grow.
 */
export interface OnlineStore {
  /** Reads in the refs' order; a record never written is undefined. One round trip; LMDB answers without a promise. */
  read(
    refs: readonly RecordRef[],
  ): readonly (StoredRecord | undefined)[] | Promise<readonly (StoredRecord | undefined)[]>;
  /**
   * Atomically per record: reads it whole, asks `change` for its new bytes, writes them; a concurrent change makes it
   * ask again. Resolves once durable, with how many records were changed. `change` must be pure and synchronous.
   */
  update(
    refs: readonly RecordRef[],
    change: (current: FullRecord | undefined, index: number) => RecordChange | null,
  ): Promise<number>;
  /** Like `read`, with the pushed events one by one; for the rare read as of a time before them. */
  readFull(refs: readonly RecordRef[]): Promise<readonly (FullRecord | undefined)[]>;
  /** Every record of a view, in no set order; for materialize and tests, never while serving. */
  scan(entity: string, view: string): AsyncIterable<{ readonly key: EncodedKey; readonly record: FullRecord }>;
  /** A small value of the store's own (a view's watermark); `setMeta` resolves once durable. */
  getMeta(name: string): Promise<string | undefined>;
  setMeta(name: string, value: string): Promise<void>;
  /** Forgets records past their expiry where the store does not do so by itself; resolves with how many. */
  removeExpired(): Promise<number>;
  close(): Promise<void>;
}
