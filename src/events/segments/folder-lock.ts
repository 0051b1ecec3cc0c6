// The lock of a log's folder: held by the operating system for as long as the process lives, a stopped one too, and
// gone with it. It is a SQLite file's (fcntl), which works between containers on one volume, where a pid says nothing,
// and between two holders inside one process. Nothing else may open the file: closing it would drop the lock.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError, messageOf } from '../../core/index.ts';

export interface FolderLock {
  release(): void;
}

const ATTEMPTS = 3;
const WAIT_MS = 8;
const SQLITE = { busy: 5, cantOpen: 14 };

/** Undefined while another holds it, and where the folder is no longer there. Throws HR_STORAGE_UNAVAILABLE. */
export async function tryLock(folder: string): Promise<FolderLock | undefined> {
  for (let attempt = 1; ; attempt++) {
    const lock = lockOnce(folder);
    // Two that ask at the same moment may turn each other away.
    if (lock !== undefined || attempt === ATTEMPTS) return lock;
    await delay(Math.random() * WAIT_MS);
  }
}

function lockOnce(folder: string): FolderLock | undefined {
  const path = join(folder, 'lock');
  let file: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(path, { timeout: 0 });
    file = opened;
    opened.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    // Its holder may have removed the folder between our opening of the file and its letting go.
    if (existsSync(path)) return { release: () => opened.close() };
    opened.close();
    return undefined;
  } catch (error) {
    file?.close();
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
    if (code === SQLITE.busy || (code === SQLITE.cantOpen && !existsSync(folder))) return undefined;
    const reason = messageOf(error);
    throw new HeadraceError('HR_STORAGE_UNAVAILABLE', `the event log's lock at ${path} cannot be taken: ${reason}`, {
      cause: error,
    });
  }
}
