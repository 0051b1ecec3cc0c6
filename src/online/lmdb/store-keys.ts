// The store's keys. A record's: r project 0 entity 0 key 0 version 0 part. The names hold no zero byte and the last two
// parts are found from the end, so no two records share a key. A key past LMDB's limit is replaced by its hash.

import { createHash } from 'node:crypto';
import type { EncodedKey } from '../../core/index.ts';
import type { VersionId } from '../online-store.ts';

/** `main` holds the base, and the parts while they are small; `parts` holds them when they are not. */
export const PLACE = { main: 0, parts: 1 } as const;

/** LMDB's limit is 1,978 bytes for pages of 4,096; names take some of it. */
export const LONGEST_KEY = 1024;

// No encoded key starts with it.
const HASHED = 255;
const NONE = new Uint8Array(0);

export interface KeyRange {
  readonly start: Buffer;
  readonly end: Buffer;
}

export interface StoreKeys {
  /** A record's key, for `keyEncoder`; the next call changes it. */
  record(entity: string, key: EncodedKey, version: VersionId, place: number): Uint8Array;
  /** The keys of one version's records, their main place: `record` with the look-ups done before. */
  recordsOf(entity: string, version: VersionId): (key: EncodedKey) => Uint8Array;
  /** The records of an entity, or all. */
  records(entity?: string): KeyRange;
  /** The entity key within a key of `entity`, when it is of `version` and its main place. */
  entityKeyOf(key: Uint8Array, entity: string, version: VersionId): Uint8Array | undefined;
  /** There once any part of the version was written. */
  hasParts(version: VersionId): Buffer;
  claim(id: string): Buffer;
  claims(): KeyRange;
  fence(version: VersionId): Buffer;
  mark(version: VersionId): Buffer;
  notes(): Buffer;
  /** How much time has passed for the store, whatever the project. */
  passingTime(): Buffer;
}

/** A record's key in pieces, which are put together where LMDB reads them: reading a record copies its key once. */
interface RecordKey {
  prefix: Uint8Array;
  key: Uint8Array;
  suffix: Uint8Array;
  place: number;
}

/** The library's option of that name; takes bytes too. */
export const keyEncoder = {
  writeKey(key: Uint8Array | RecordKey, target: Uint8Array, start: number): number {
    if (key instanceof Uint8Array) {
      target.set(key, start);
      return start + key.length;
    }
    target.set(key.prefix, start);
    let at = start + key.prefix.length;
    target.set(key.key, at);
    at += key.key.length;
    target.set(key.suffix, at);
    at += key.suffix.length;
    target[at] = key.place;
    return at + 1;
  },
  readKey: (target: Uint8Array, start: number, end: number): Uint8Array =>
    Uint8Array.prototype.slice.call(target, start, end),
};

export function createStoreKeys(project: string): StoreKeys {
  const prefixes = new Map<string, Buffer>();
  const suffixes = new Map<VersionId, Buffer>();
  const shared: RecordKey = { prefix: NONE, key: NONE, suffix: NONE, place: 0 };
  // Most calls ask for what the last one asked for.
  let entityOfPrefix: string | undefined;
  let versionOfSuffix: VersionId | undefined;

  const prefixOf = (entity: string): Buffer => {
    let prefix = prefixes.get(entity);
    if (prefix === undefined) prefixes.set(entity, (prefix = Buffer.from(`r${project}\0${entity}\0`)));
    return prefix;
  };
  const suffixOf = (version: VersionId): Buffer => {
    let suffix = suffixes.get(version);
    if (suffix === undefined) suffixes.set(version, (suffix = Buffer.from(`\0${version}\0`)));
    return suffix;
  };

  return {
    record(entity, key, version, place) {
      if (entity !== entityOfPrefix) {
        shared.prefix = prefixOf(entity);
        entityOfPrefix = entity;
      }
      if (version !== versionOfSuffix) {
        shared.suffix = suffixOf(version);
        versionOfSuffix = version;
      }
      shared.key = key.length > LONGEST_KEY ? hashedKey(key) : key;
      shared.place = place;
      // The library hands a key to nothing but the encoder, which knows both.
      return shared as unknown as Uint8Array;
    },
    recordsOf(entity, version) {
      const own: RecordKey = { prefix: prefixOf(entity), key: NONE, suffix: suffixOf(version), place: PLACE.main };
      return (key) => {
        own.key = key.length > LONGEST_KEY ? hashedKey(key) : key;
        return own as unknown as Uint8Array;
      };
    },
    records: (entity) => under(entity === undefined ? Buffer.from(`r${project}\0`) : prefixOf(entity)),
    entityKeyOf(key, entity, version) {
      const suffix = suffixOf(version);
      const suffixAt = key.length - 1 - suffix.length;
      const start = prefixOf(entity).length;
      if (key[key.length - 1] !== PLACE.main || suffixAt < start) return undefined;
      if (Buffer.compare(key.subarray(suffixAt, key.length - 1), suffix) !== 0) return undefined;
      return key.slice(start, suffixAt);
    },
    hasParts: (version) => Buffer.from(`p${project}\0${version}`),
    claim: (id) => Buffer.from(`c${project}\0${id}`),
    claims: () => under(Buffer.from(`c${project}\0`)),
    fence: (version) => Buffer.from(`f${project}\0${version}`),
    mark: (version) => Buffer.from(`k${project}\0${version}`),
    notes: () => Buffer.from(`n${project}`),
    passingTime: () => Buffer.from('t'),
  };
}

// Every prefix ends with a zero byte.
function under(prefix: Buffer): KeyRange {
  const end = Buffer.from(prefix);
  end[end.length - 1] = 1;
  return { start: prefix, end };
}

function hashedKey(key: EncodedKey): Buffer {
  return Buffer.concat([Uint8Array.of(HASHED), createHash('sha256').update(key).digest()]);
}
