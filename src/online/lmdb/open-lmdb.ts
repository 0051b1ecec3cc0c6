// One LMDB of the store's folder, and how its transactions commit.

import { open, type RootDatabase } from 'lmdb';
import { keyEncoder } from './store-keys.ts';

export type Db = RootDatabase<Buffer, Uint8Array>;

/** Abortable and committed before the call returns: the library's ABORTABLE and SYNCHRONOUS_COMMIT. */
export const COMMIT = 3;
/** The library's NO_SYNC_FLUSH. */
export const NO_SYNC = 0x10000;

/** Only by `openAlone`. */
export function openLmdb(path: string): Db {
  return open({
    path,
    encoding: 'binary',
    keyEncoder,
    noSubdir: false,
    maxReaders: 1024,
    // Its commits wait for the disk all the same, only outside the lock, and a power loss may mix them with others.
    overlappingSync: false,
    // With it, a commit that fails rejects a promise of the library's own, which nobody can wait for.
    eventTurnBatching: false,
  });
}
