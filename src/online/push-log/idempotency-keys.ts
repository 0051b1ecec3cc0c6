// Idempotency keys, shared by all processes of a machine: the first to claim a key does the work, the others get its
// result. An LMDB file, because a claim must be one atomic step across processes and outlive a crash.

import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open } from 'lmdb';
import { type Clock, MICROS_PER_DAY, type Micros } from '../../core/index.ts';

export interface KeyEntry {
  /** Of the request's body: the same key with another one is a mistake. */
  readonly bodyHash: string;
  /** Whose claim it is: finds its segments when the process died. */
  readonly pid: number;
  readonly token: string;
  readonly atMicros: Micros;
  /** Set once the batch is on disk. */
  readonly isDone: boolean;
}

export interface IdempotencyKeys {
  /** Gives the entry that is there; undefined when there was none, and then `claim` is. */
  claim(source: string, key: string, claim: KeyEntry): KeyEntry | undefined;
  find(source: string, key: string): KeyEntry | undefined;
  put(source: string, key: string, entry: KeyEntry): void;
  release(source: string, key: string): void;
  close(): Promise<void>;
}

/** How long a key is remembered. */
export const KEY_RETENTION_MICROS = MICROS_PER_DAY;

export function openIdempotencyKeys(path: string, clock: Clock): IdempotencyKeys {
  mkdirSync(path, { recursive: true });
  const db = open<KeyEntry, Uint8Array>({
    path,
    encoding: 'json',
    keyEncoding: 'binary',
    noSubdir: false,
    maxReaders: 1024,
    overlappingSync: false,
  });
  // Hashed: users choose keys of any length.
  const idOf = (source: string, key: string): Buffer => createHash('sha256').update(`${source}\0${key}`).digest();
  const current = (id: Buffer): KeyEntry | undefined => {
    const entry = db.get(id);
    return entry === undefined || entry.atMicros < clock.nowMicros() - KEY_RETENTION_MICROS ? undefined : entry;
  };
  forgetOld();
  return {
    claim: (source, key, claim) => {
      const id = idOf(source, key);
      return db.transactionSync(() => {
        const existing = current(id);
        if (existing === undefined) db.putSync(id, claim);
        return existing;
      });
    },
    find: (source, key) => {
      db.resetReadTxn();
      return current(idOf(source, key));
    },
    put(source, key, entry) {
      db.transactionSync(() => db.putSync(idOf(source, key), entry));
    },
    release(source, key) {
      db.transactionSync(() => db.removeSync(idOf(source, key)));
    },
    close: () => db.close(),
  };

  function forgetOld(): void {
    const old = [...db.getRange({})].filter(({ value }) => value.atMicros < clock.nowMicros() - KEY_RETENTION_MICROS);
    if (old.length === 0) return;
    db.transactionSync(() => {
      for (const { key } of old) db.removeSync(key);
    });
  }
}
