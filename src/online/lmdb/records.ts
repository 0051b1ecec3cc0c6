// Records within LMDB: read at one commit, changed within a transaction. Small parts lie beside the base, so that most
// reads are one get; larger ones lie apart, so that a push rewrites its parts and never the base.

import type { EncodedKey, Micros } from '../../core/index.ts';
import type { BaseWrite, PartId, PartWrite, RecordRef, StoredPart, StoredRecord, VersionId } from '../online-store.ts';
import type { Db } from './open-lmdb.ts';
import { hasPart, readParts, withoutParts, withPart } from './part-list.ts';
import {
  createMainPacker,
  expiryOfApart,
  expiryOfMain,
  flagsOf,
  HAS,
  HEAD,
  listOfApart,
  type MainValue,
  packApart,
  unpackMain,
} from './record-value.ts';
import { LONGEST_KEY, PLACE, type StoreKeys } from './store-keys.ts';

export interface Records {
  read(ref: RecordRef): StoredRecord | undefined;
  /** The key as it was given, when LMDB's key holds only its hash. */
  longKeyOf(mainKey: Uint8Array): EncodedKey | undefined;
  /** False where the one that is there stays: it has the greater (holder, n), or is of another log and the same holder. */
  putPart(part: PartWrite, expiry: Micros): boolean;
  /** Removes the part where the same log wrote the one that is there. */
  withdraw(part: PartWrite): void;
  putBase(version: VersionId, write: BaseWrite, expiry: Micros, mayHaveParts: boolean): void;
  /** Whether any record of the version ever had a part. */
  hasParts(version: VersionId): boolean;
  /** Removes the record if its last writes are all past their expiry. */
  removeIfExpired(mainKey: Uint8Array, now: Micros): boolean;
  isExpired(mainKey: Uint8Array, now: Micros): boolean;
  remove(mainKey: Uint8Array): void;
}

/** Parts as they lie, and until when. */
interface PartList {
  readonly list: Buffer;
  readonly expiry: Micros;
}

/** LMDB copies a page of 4,096 bytes for whatever changes in it; a value past half a page gets pages of its own. */
const MOST_TOGETHER = 1500;
const NO_PARTS: readonly StoredPart[] = [];
const EMPTY = Buffer.alloc(0);
const NOTHING: PartList = { list: EMPTY, expiry: -Infinity };

export function createRecords(db: Db, keys: StoreKeys): Records {
  const packer = createMainPacker();

  // The library's buffer is overwritten by the next get, so a value is copied out before anything else is read.
  const get = (key: Uint8Array): Buffer | undefined => {
    const shared = db.getBinaryFast(key);
    return shared === undefined ? undefined : copyOf(shared, 0);
  };

  const apartKey = (mainKey: Uint8Array): Uint8Array => {
    const key = new Uint8Array(mainKey);
    key[key.length - 1] = PLACE.parts;
    return key;
  };

  /**
   * Writes a record that was read as `main` (whose parts lay apart or not) and `before`, with what is now its base and parts.
   * Its end never comes nearer: an event that was there before may be known only later.
   */
  const put = (
    ref: RecordRef,
    main: MainValue | undefined,
    before: PartList,
    base: Uint8Array | undefined,
    list: Buffer,
    ownExpiry: Micros,
  ): void => {
    const expiry = laterEnd(before.expiry, laterEnd(main?.expiry, ownExpiry));
    const wasApart = main?.isApart === true;
    const isApart = list.length > 0 && list.length + (base?.length ?? 0) > MOST_TOGETHER;
    if (isApart) db.putSync(keys.record(ref.entity, ref.key, ref.version, PLACE.parts), packApart(list, expiry));
    else if (wasApart) db.removeSync(keys.record(ref.entity, ref.key, ref.version, PLACE.parts));
    // Then nothing of main changes.
    if (wasApart && isApart && base === main?.base) return;
    const mainKey = keys.record(ref.entity, ref.key, ref.version, PLACE.main);
    if (base === undefined && list.length === 0) {
      db.removeSync(mainKey);
      return;
    }
    db.putSync(mainKey, packer.pack(base, isApart ? EMPTY : list, isApart, longKeyOf(ref.key), expiry));
  };

  const partsOf = (ref: RecordRef, main: MainValue | undefined): PartList => {
    if (main?.isApart !== true) return main ?? NOTHING;
    const value = get(keys.record(ref.entity, ref.key, ref.version, PLACE.parts));
    return value === undefined ? NOTHING : { list: listOfApart(value), expiry: expiryOfApart(value) };
  };

  const isExpired = (mainKey: Uint8Array, now: Micros): boolean => {
    const main = db.getBinaryFast(mainKey);
    if (main === undefined || expiryOfMain(main) >= now) return false;
    if ((flagsOf(main) & HAS.partsApart) === 0) return true;
    const apart = db.getBinaryFast(apartKey(mainKey));
    return apart === undefined || expiryOfApart(apart) < now;
  };

  const remove = (mainKey: Uint8Array): void => {
    db.removeSync(mainKey);
    db.removeSync(apartKey(mainKey));
  };

  return {
    read(ref) {
      const shared = db.getBinaryFast(keys.record(ref.entity, ref.key, ref.version, PLACE.main));
      if (shared === undefined) return undefined;
      const skip = flagsOf(shared) === HAS.base ? HEAD : 0;
      const copy = copyOf(shared, skip);
      if (skip > 0) return { base: copy, parts: NO_PARTS };
      const main = unpackMain(copy);
      return { base: main.base, parts: readParts(partsOf(ref, main).list) };
    },
    longKeyOf(mainKey) {
      const value = db.getBinaryFast(mainKey);
      return value === undefined ? undefined : unpackMain(value).longKey;
    },
    putPart(part, expiry) {
      const hasParts = keys.hasParts(part.version);
      if (db.getBinaryFast(hasParts) === undefined) db.putSync(hasParts, EMPTY);
      const value = get(keys.record(part.entity, part.key, part.version, PLACE.main));
      const main = value === undefined ? undefined : unpackMain(value);
      const before = partsOf(part, main);
      const next = withPart(before.list, part);
      if (next === undefined) return false;
      put(part, main, before, main?.base, next, expiry);
      return true;
    },
    withdraw(part) {
      const value = get(keys.record(part.entity, part.key, part.version, PLACE.main));
      if (value === undefined) return;
      const main = unpackMain(value);
      const before = partsOf(part, main);
      if (hasPart(before.list, part))
        put(part, main, before, main.base, withoutParts(before.list, [part]), main.expiry);
    },
    putBase(version, { entity, key, base, counted }, expiry, mayHaveParts) {
      const ref = { entity, key, version };
      const mainKey = keys.record(entity, key, version, PLACE.main);
      const shared = mayHaveParts ? db.getBinaryFast(mainKey) : undefined;
      if (shared === undefined || (flagsOf(shared) & (HAS.parts | HAS.partsApart)) === 0) {
        db.putSync(mainKey, packer.pack(base, EMPTY, false, longKeyOf(key), expiry));
        return;
      }
      putBaseBesideParts(ref, unpackMain(copyOf(shared, 0)), base, counted ?? [], expiry);
    },
    hasParts: (version) => db.getBinaryFast(keys.hasParts(version)) !== undefined,
    isExpired,
    remove,
    removeIfExpired(mainKey, now) {
      if (!isExpired(mainKey, now)) return false;
      remove(mainKey);
      return true;
    },
  };

  function putBaseBesideParts(
    ref: RecordRef,
    main: MainValue,
    base: Uint8Array,
    counted: readonly PartId[],
    expiry: Micros,
  ): void {
    if (main.isApart && counted.length === 0) {
      // The parts stay as they are, unread.
      const mainKey = keys.record(ref.entity, ref.key, ref.version, PLACE.main);
      db.putSync(mainKey, packer.pack(base, EMPTY, true, longKeyOf(ref.key), expiry));
      return;
    }
    const before = partsOf(ref, main);
    const { list } = before;
    put(ref, main, before, base, counted.length === 0 ? list : withoutParts(list, counted), expiry);
  }
}

/** The later of two ends. One that is for ever is of a view that is gone: it gives way. */
function laterEnd(before: Micros | undefined, own: Micros): Micros {
  return before === undefined || before === Infinity ? own : Math.max(before, own);
}

function copyOf(shared: Buffer, skip: number): Buffer {
  const copy = Buffer.allocUnsafe(shared.length - skip);
  shared.copy(copy, 0, skip, shared.length);
  return copy;
}

function longKeyOf(key: EncodedKey): EncodedKey | undefined {
  return key.length > LONGEST_KEY ? key : undefined;
}
