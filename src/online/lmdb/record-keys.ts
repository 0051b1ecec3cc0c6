// Records as LMDB keys: project 0 entity 0 key 0 view 0 part. The names hold no zero byte and the last two parts are
// found from the end, so no two records share a key. A key past LMDB's limit is replaced by its hash.

import { createHash } from 'node:crypto';
import type { EncodedKey } from '../../core/index.ts';
import type { RecordRef } from '../online-store.ts';

/** `record` holds base and pushed, `log` the pushed events. */
export const PART = { record: 0, log: 1 } as const;

/** LMDB's limit is 1,978 bytes for pages of 4,096; names take some of it. */
export const LONGEST_KEY = 1024;

const HASHED = 255;

export interface RecordKeys {
  /** A record's key, in memory that the next call reuses. */
  encode(ref: RecordRef, part: number): Buffer;
  /** First and past-last key of an entity's records. */
  range(entity: string): { readonly start: Buffer; readonly end: Buffer };
  /** The entity key within a key of `entity`, when it is of `view` and its record part. */
  entityKeyOf(key: Uint8Array, entity: string, view: string): Uint8Array | undefined;
}

export function createRecordKeys(project: string): RecordKeys {
  const prefixes = new Map<string, Buffer>();
  const suffixes = new Map<string, Buffer>();
  const scratch = Buffer.alloc(4096);

  const prefixOf = (entity: string): Buffer => {
    let prefix = prefixes.get(entity);
    if (prefix === undefined) prefixes.set(entity, (prefix = Buffer.from(`r${project}\0${entity}\0`)));
    return prefix;
  };
  const suffixOf = (view: string): Buffer => {
    let suffix = suffixes.get(view);
    if (suffix === undefined) suffixes.set(view, (suffix = Buffer.from(`\0${view}\0`)));
    return suffix;
  };

  return {
    encode(ref, part) {
      const prefix = prefixOf(ref.entity);
      const suffix = suffixOf(ref.view);
      const key = ref.key.length > LONGEST_KEY ? hashedKey(ref.key) : ref.key;
      const length = prefix.length + key.length + suffix.length + 1;
      scratch.set(prefix, 0);
      scratch.set(key, prefix.length);
      scratch.set(suffix, prefix.length + key.length);
      scratch[length - 1] = part;
      return scratch.subarray(0, length);
    },
    range(entity) {
      const start = prefixOf(entity);
      const end = Buffer.from(start);
      end[end.length - 1] = 1;
      return { start, end };
    },
    entityKeyOf(key, entity, view) {
      const suffix = suffixOf(view);
      const suffixAt = key.length - 1 - suffix.length;
      if (key[key.length - 1] !== PART.record || suffixAt < 0) return undefined;
      if (Buffer.compare(key.subarray(suffixAt, key.length - 1), suffix) !== 0) return undefined;
      // A copy: the key lies in memory that the next step of a scan reuses.
      return new Uint8Array(key.subarray(prefixOf(entity).length, suffixAt));
    },
  };
}

function hashedKey(key: EncodedKey): Buffer {
  return Buffer.concat([Uint8Array.of(HASHED), createHash('sha256').update(key).digest()]);
}
