// The embedded online store: one LMDB environment that server workers and the command line share by memory map.
// Reads are synchronous and take no lock; a write is one transaction, on disk when it returns.

import { mkdirSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import type { Clock, EncodedKey } from '../../core/index.ts';
import type { FullRecord, OnlineStore, RecordRef, StoredRecord } from '../online-store.ts';
import {
  expiryOf,
  hasLog,
  isEmptyChange,
  longKeyOf,
  packValue,
  unpackFull,
  unpackValue,
  versionOf,
} from '../stored-value.ts';
import { storageFull, toStoreError } from './lmdb-errors.ts';
import { createRecordKeys, LONGEST_KEY, PART } from './record-keys.ts';

export interface LmdbOptions {
  readonly path: string;
  readonly project: string;
  readonly clock: Clock;
  /** The store refuses to grow past this size; default 64 GiB. */
  readonly mapSizeBytes?: number;
}

const DEFAULT_LIMIT = 64 * 1024 ** 3;
/** Records changed in one transaction: short enough that other processes' pushes wait only milliseconds. */
const BATCH = 256;

/** Throws HR_ONLINE_UNAVAILABLE when the folder can't be made or opened, HR_STORAGE_FULL when its disk is full. */
export function openLmdbStore({ path, project, clock, mapSizeBytes = DEFAULT_LIMIT }: LmdbOptions): OnlineStore {
  const db = openEnvironment(path);
  // A process that was killed leaves its reader slot, which would keep old pages from being used again.
  db.readerCheck();
  const keys = createRecordKeys(project);
  const metaKey = (name: string): Buffer => Buffer.from(`m${project}\0${name}`);

  // The library's buffer is overwritten by the next get, so a record is copied out before anything else is read.
  const get = (key: Uint8Array): Buffer | undefined => {
    const shared = db.getBinaryFast(key);
    if (shared === undefined) return undefined;
    const copy = Buffer.allocUnsafe(shared.length);
    shared.copy(copy, 0, 0, shared.length);
    return copy;
  };

  const readRecord = (ref: RecordRef): StoredRecord | undefined => {
    const value = get(keys.encode(ref, PART.record));
    return value === undefined ? undefined : unpackValue(value);
  };

  const readFullRecord = (ref: RecordRef): FullRecord | undefined => {
    const value = get(keys.encode(ref, PART.record));
    return value === undefined
      ? undefined
      : unpackFull(value, hasLog(value) ? get(keys.encode(ref, PART.log)) : undefined);
  };

  const sizeBytes = (): number => {
    // The library's type says {}; these two are LMDB's own figures, always there.
    const stats = db.getStats() as { lastPageNumber: number; pageSize: number };
    return stats.lastPageNumber * stats.pageSize;
  };

  /** One transaction; `grow` is told how many bytes the work adds, so that it can be refused past the limit. */
  const write = <T>(work: (grow: (bytes: number) => void) => T): T => {
    try {
      return db.transactionSync(() => {
        let growth = 0;
        const result = work((bytes) => {
          growth += bytes;
        });
        // What makes the store no larger is let through, or a full one could not even be emptied.
        if (growth > 0 && sizeBytes() + growth > mapSizeBytes) throw storageFull(path, mapSizeBytes);
        return result;
      });
    } catch (error) {
      throw toStoreError(error, path);
    }
  };

  const store: OnlineStore = {
    read: (refs) => refs.map(readRecord),
    async readFull(refs) {
      return refs.map(readFullRecord);
    },
    async update(refs, change) {
      let changed = 0;
      for (let from = 0; from < refs.length; from += BATCH) {
        // Between transactions, requests and other processes get their turn.
        if (from > 0) await new Promise(setImmediate);
        changed += write((grow) => {
          let count = 0;
          for (let index = from; index < Math.min(from + BATCH, refs.length); index++) {
            const ref = refs[index] as RecordRef;
            const value = get(keys.encode(ref, PART.record));
            const log = value !== undefined && hasLog(value) ? get(keys.encode(ref, PART.log)) : undefined;
            const next = change(value === undefined ? undefined : unpackFull(value, log), index);
            if (next === null) continue;
            count++;
            grow(-(value?.length ?? 0) - (log?.length ?? 0) + (next.pushedLog?.length ?? 0));
            if (isEmptyChange(next)) {
              db.removeSync(keys.encode(ref, PART.record));
            } else {
              const longKey = ref.key.length > LONGEST_KEY ? ref.key : undefined;
              const packed = packValue(next, versionOf(value) + 1, longKey);
              grow(packed.length);
              db.putSync(keys.encode(ref, PART.record), packed);
            }
            if (next.pushedLog !== undefined) db.putSync(keys.encode(ref, PART.log), Buffer.from(next.pushedLog));
            else if (log !== undefined) db.removeSync(keys.encode(ref, PART.log));
          }
          return count;
        });
      }
      return changed;
    },
    async *scan(entity, view) {
      for (const { key, value } of db.getRange({ ...keys.range(entity), snapshot: false })) {
        const found = keys.entityKeyOf(key, entity, view);
        if (found === undefined) continue;
        // Branding: entityKeyOf cuts out what `encode` put in.
        const entityKey = longKeyOf(value) ?? (found as EncodedKey);
        const record = unpackFull(Buffer.from(value), undefined);
        const log = hasLog(value) ? get(keys.encode({ entity, view, key: entityKey }, PART.log)) : undefined;
        yield { key: entityKey, record: { ...record, pushedLog: log } };
      }
    },
    async getMeta(name) {
      return get(metaKey(name))?.toString();
    },
    async setMeta(name, value) {
      write(() => db.putSync(metaKey(name), Buffer.from(value)));
    },
    async removeExpired() {
      const now = clock.nowMicros();
      const expired: Buffer[] = [];
      const start = Buffer.from(`r${project}\0`);
      const end = Buffer.from(`r${project}\x01`);
      for (const { key, value } of db.getRange({ start, end, snapshot: false })) {
        if (key[key.length - 1] === PART.record && expiryOf(value) < now) expired.push(Buffer.from(key));
      }
      let removed = 0;
      for (let from = 0; from < expired.length; from += BATCH) {
        removed += write(() => {
          let count = 0;
          for (const key of expired.slice(from, from + BATCH)) {
            const value = get(key);
            if (value === undefined || expiryOf(value) >= now) continue;
            db.removeSync(key);
            key[key.length - 1] = PART.log;
            db.removeSync(key);
            count++;
          }
          return count;
        });
        await new Promise(setImmediate);
      }
      return removed;
    },
    close: () => db.close(),
  };
  return store;
}

function openEnvironment(path: string): RootDatabase<Buffer, Uint8Array> {
  try {
    mkdirSync(path, { recursive: true });
    return open({
      path,
      encoding: 'binary',
      keyEncoding: 'binary',
      noSubdir: false,
      maxReaders: 1024,
      overlappingSync: false,
    });
  } catch (error) {
    throw toStoreError(error, path);
  }
}
