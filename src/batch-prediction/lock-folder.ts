// One process at a time works on a batch: a lock that the kernel frees with its holder, however that ends (SQLite's on a file).
// Of a place in S3 it keeps out this machine's processes.

import { mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HeadraceError, messageOf } from '../core/index.ts';

export interface FolderLock {
  /** The work stays, for a run that takes it up again. */
  release(): void;
  /** The work is done: its folder goes, unless another process has begun there by now. Never throws. */
  end(): void;
}

/** The lock's file in the folder of the work. Nobody but its holder removes it, and that one before it lets go. */
export const LOCK = 'lock';

const SQLITE_BUSY = 5;

/**
 * `name`: the batch's place as users know it; `work` is made. Throws HR_CONFLICT while another process has it, and where one took
 * the file away just now, as it ended; HR_STORAGE_UNAVAILABLE where there are no locks to be had; what the disk says.
 */
export function lockFolder({ name, work }: { readonly name: string; readonly work: string }): FolderLock {
  makeFolder(name, work);
  const path = join(work, LOCK);
  const place = fileAt(work);
  let before: string | undefined;
  let file: DatabaseSync | undefined;
  try {
    // Opening makes it.
    if (fileAt(path) === undefined) new DatabaseSync(path).close();
    before = fileAt(path);
    file = new DatabaseSync(path, { timeout: 0 });
    file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (thrown) {
    file?.close();
    const code = thrown instanceof Error && 'errcode' in thrown ? Number(thrown.errcode) & 0xff : undefined;
    if (code === SQLITE_BUSY) {
      const sentence = `another process is predicting into ${name} now. Wait for its end, or name another place (--out).`;
      throw new HeadraceError('HR_CONFLICT', sentence, { cause: thrown });
    }
    if (place === undefined || place !== fileAt(work) || before !== fileAt(path)) throw ended(name);
    const sentence = `${path} cannot be locked: ${messageOf(thrown)}. May this user write there?`;
    throw new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: thrown });
  }
  const held = file;
  // What was opened may have been taken away before it could be locked, and another be in its place.
  if (before === undefined || before !== fileAt(path)) {
    held.close();
    throw ended(name);
  }
  return {
    release: () => held.close(),
    end() {
      try {
        rmSync(path, { force: true });
        held.close();
        rmdirSync(work);
      } catch {
        // Another is at work there, or nothing may be removed: a lock that lies around keeps nobody out.
        if (held.isOpen) held.close();
      }
    },
  };
}

function makeFolder(name: string, work: string): void {
  try {
    mkdirSync(work, { recursive: true });
  } catch (thrown) {
    // It was there, and was gone as it was looked at.
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') throw ended(name);
    throw thrown;
  }
}

/** Which file or folder lies there; undefined for none. An inode's number alone may be given to another. */
function fileAt(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.ino} ${found.birthtimeNs}`;
}

function ended(name: string): HeadraceError {
  return new HeadraceError('HR_CONFLICT', `another process has just ended its work in ${name}. Run it again.`);
}
