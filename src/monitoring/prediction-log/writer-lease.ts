// Whether a segment's writer lives, told without its process id, which says nothing over containers and hosts. A writer
// holds a lock of the operating system (of a SQLite file, fcntl's) for as long as its process lives, and renews a lease by
// the file system's own clock. It counts as dead only when the lease is old and the lock can be had: on one machine the lock
// protects a writer that is stopped, over hosts whose file system has no locks the lease does. Nothing else may open the
// lock's file: closing it would drop the lock.

import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A lease this old has run out. */
const LEASE_MS = 60_000;
const RENEW_MS = 10_000;
/** A writer whose lease is this old leaves its segment: when it ran out another may take that. */
const LEAVE_MS = LEASE_MS / 2;

export interface WriterLease {
  /** False where the lease was not renewed in time: what was begun under it may be another's by now. */
  isFresh(): boolean;
  /** Waits for a renewal. */
  renew(): Promise<void>;
  /** Gives lock and lease back; the folder goes where it is empty. */
  release(): Promise<void>;
}

/** Takes the folder for a writer of its own; makes it. Throws what the disk says. */
export async function takeLease(folder: string): Promise<WriterLease> {
  await mkdir(folder, { recursive: true });
  // Before the lease: a lock alone is a writer that begins.
  const lock = tryLock(folder);
  let lease: FileHandle;
  try {
    lease = await open(leasePath(folder), 'w');
  } catch (error) {
    release(lock);
    throw error;
  }
  let renewedMs = performance.now();
  const renew = async (): Promise<void> => {
    const startMs = performance.now();
    // The file system sets the file's time. A full disk has this byte's place already.
    await lease.write('1', 0);
    renewedMs = startMs;
  };
  try {
    await renew();
  } catch (error) {
    await lease.close();
    release(lock);
    throw error;
  }
  const timer = setInterval(() => void renew().catch(() => {}), RENEW_MS);
  timer.unref();
  return {
    isFresh: () => performance.now() - renewedMs < LEAVE_MS,
    renew,
    async release() {
      clearInterval(timer);
      await lease.close();
      await removeFolder(folder, lock);
    },
  };
}

export interface DeadWriter {
  /** Lets go of the folder, which goes where it is empty. */
  release(): Promise<void>;
}

/** Takes the folder of a writer that is dead; undefined where it may live, or another compaction has it. `nowMs`: the file system's. */
export async function takeDead(folder: string, nowMs: number): Promise<DeadWriter | undefined> {
  if (nowMs - (await leaseTime(folder)) < LEASE_MS) return undefined;
  const lock = tryLock(folder);
  if (lock === 'busy') return undefined;
  // Meanwhile it may have come back to life, or be gone.
  if (nowMs - (await leaseTime(folder)) < LEASE_MS) {
    release(lock);
    return undefined;
  }
  return { release: () => removeFolder(folder, lock) };
}

/** Whether it is worth asking `takeDead`, by this machine's clock. */
export async function mayBeDead(folder: string): Promise<boolean> {
  return Date.now() - (await leaseTime(folder)) >= LEASE_MS;
}

/** The time now by the clock that sets the times of files in `folder`. */
export async function fileSystemNow(folder: string, name: string): Promise<number> {
  const path = join(folder, name);
  await mkdir(folder, { recursive: true });
  await writeFile(path, '1');
  try {
    return (await stat(path)).mtimeMs;
  } finally {
    await rm(path, { force: true });
  }
}

const leasePath = (folder: string): string => join(folder, 'lease');
const lockPath = (folder: string): string => join(folder, 'lock');

// A writer that has none yet has just made its folder.
async function leaseTime(folder: string): Promise<number> {
  const times = [leasePath(folder), folder].map((path) =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    ),
  );
  const [lease, made] = await Promise.all(times);
  return lease ?? made ?? Infinity;
}

type Lock = DatabaseSync | 'busy' | 'none';

const SQLITE_BUSY = 5;

/** `none`: the file system has no locks, and the lease alone says who lives. */
function tryLock(folder: string): Lock {
  const path = lockPath(folder);
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(path, { timeout: 0 });
    file.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    // Its holder may have removed the folder between our opening of the file and its letting go.
    if (existsSync(path)) return file;
    file.close();
    return 'busy';
  } catch (error) {
    file?.close();
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
    return code === SQLITE_BUSY ? 'busy' : 'none';
  }
}

function release(lock: Lock): void {
  if (typeof lock === 'object') lock.close();
}

// Whoever lets go last has nothing to keep.
async function removeFolder(folder: string, lock: Lock): Promise<void> {
  await rm(leasePath(folder), { force: true }).catch(() => {});
  await rm(lockPath(folder), { force: true }).catch(() => {});
  release(lock);
  await rmdir(folder).catch(() => {});
}
