// The object store port: whole files by key. `file` and `s3` implement it; both pass test/contract/object-store.test.ts.

import type { Micros } from '../core/index.ts';

export interface ObjectInfo {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  /** When it was last written, by the store's clock. */
  readonly modifiedMicros: Micros;
}

export interface ObjectStore {
  /** Writes whole or not at all. With `ifAbsent`, gives false and writes nothing when the key exists. */
  put(key: string, body: Uint8Array, options?: { readonly ifAbsent?: boolean }): Promise<boolean>;
  putFile(key: string, path: string, options?: { readonly ifAbsent?: boolean }): Promise<boolean>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** Writes the object to a local path; false when there is none. */
  getFile(key: string, path: string): Promise<boolean>;
  list(prefix: string): AsyncIterable<ObjectInfo>;
  remove(key: string): Promise<void>;
}
