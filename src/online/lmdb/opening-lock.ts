// LMDB's library counts a store's commits in memory that all its processes share, and whoever opens the store sets that
// count to what the file said a moment before, under no lock (OpenLDAP's ITS#9496; lmdb 3.5.6 still has it). A commit that
// another process makes in between is lost. So nobody commits while a store is opened. Commits of one turn of the event loop
// keep others out by the write lock of an LMDB that is there for its lock alone: nothing is ever committed to it. Those that
// take longer share a SQLite file's lock, which whoever opens takes alone: to wait for it stops nothing else. Both locks end
// with their process.

import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { ABORT } from 'lmdb';
import { HeadraceError, messageOf } from '../../core/index.ts';
import { COMMIT, type Db, NO_SYNC, openLmdb } from './open-lmdb.ts';

export interface OpeningLock {
  /** Does `work`, which commits before it returns, while nobody opens the store. */
  commit<T>(work: () => T): T;
  /** The same of commits that take several turns. */
  commits<T>(work: () => Promise<T>): Promise<T>;
  /** Once no `commits` is under way. */
  close(): Promise<void>;
}

/** Whoever opens asks again after so long, and keeps those who come meanwhile waiting. */
const ASK_MS = 8;
/** Those who share go on together for so long; then all give back, or nobody who waits would be heard of. */
const TOGETHER_MS = 1000;
const RETRY_MS = 1;
const SQLITE_BUSY = 5;
/** In LMDB's first page. */
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;

/** By path, how many of this thread have the store open: to open it once more, LMDB's library reads nothing anew. */
const openHere = new Map<string, number>();

/**
 * Opens by `open` what lies in the folder, while no other process commits there. Throws HR_ONLINE_UNAVAILABLE where one
 * that commits doesn't end within `limitMs`.
 */
export function openAlone<T>(folder: string, open: () => T, limitMs = 30_000): { opened: T; lock: OpeningLock } {
  const path = realpathSync(folder);
  const before = openHere.get(path) ?? 0;
  const gatePath = join(path, 'gate');
  const openFirst = () => {
    removeIfTorn(gatePath);
    return openThrough(gatePath, open);
  };
  const { gate, opened } = before > 0 ? openThrough(gatePath, open) : alone(path, openFirst, limitMs);
  openHere.set(path, before + 1);
  return { opened, lock: createLock(path, gate) };
}

function openThrough<T>(gatePath: string, open: () => T): { gate: Db; opened: T } {
  const gate = openLmdb(gatePath);
  try {
    return { gate, opened: through(gate, open) };
  } catch (error) {
    void gate.close();
    throw error;
  }
}

/**
 * A power loss may leave a gate without its pages, which nobody ever waited for, and the library would end the process that
 * opens it. While some process has it open, it has them.
 */
function removeIfTorn(path: string): void {
  const file = join(path, 'data.mdb');
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  if (bytes.length > MAGIC_AT + 4 && bytes.readUInt32LE(MAGIC_AT) === MAGIC) return;
  rmSync(path, { recursive: true, force: true });
}

/** Does `work` while no other process does anything through the gate. */
function through<T>(gate: Db, work: () => T): T {
  let done: { readonly result: T } | undefined;
  gate.transactionSync(() => {
    done = { result: work() };
    return ABORT;
  }, COMMIT | NO_SYNC);
  // The transaction is over, so the work is done.
  return (done as { readonly result: T }).result;
}

function alone<T>(path: string, open: () => T, limitMs: number): T {
  const file = openFile(path, ASK_MS);
  try {
    const limit = performance.now() + limitMs;
    // With a journal on disk it would need space there.
    while (!isGiven(() => file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE'), path)) {
      if (performance.now() >= limit) {
        throw unavailable(path, 'another process is in the middle of writing to it and does not go on; wake or end it');
      }
    }
    return open();
  } finally {
    file.close();
  }
}

function createLock(path: string, gate: Db): OpeningLock {
  const share = createShare(path);
  let under = 0;
  let sinceMs = 0;

  const enter = (): boolean => {
    const nowMs = performance.now();
    const isIn = under > 0 ? nowMs - sinceMs < TOGETHER_MS : share.take();
    if (!isIn) return false;
    if (under === 0) sinceMs = nowMs;
    under++;
    return true;
  };

  return {
    commit: (work) => through(gate, work),
    async commits(work) {
      while (!enter()) await delay(RETRY_MS);
      try {
        return await work();
      } finally {
        if (--under === 0) share.give();
      }
    },
    async close() {
      const left = (openHere.get(path) ?? 1) - 1;
      if (left === 0) openHere.delete(path);
      else openHere.set(path, left);
      share.close();
      await gate.close();
    },
  };
}

/** One of those who share the lock. */
function createShare(path: string) {
  const file = openFile(path, 0);
  const begin = file.prepare('BEGIN');
  const end = file.prepare('COMMIT');
  let look: StatementSync | undefined;
  return {
    /** False while another opens, or waits to. */
    take(): boolean {
      begin.run();
      let isShared = false;
      try {
        // To prepare it takes the lock, too.
        isShared = isGiven(() => (look ??= file.prepare('SELECT 1 FROM sqlite_schema')).get(), path);
      } finally {
        if (!isShared) end.run();
      }
      return isShared;
    },
    give: () => void end.run(),
    close: () => file.close(),
  };
}

function openFile(path: string, timeout: number): DatabaseSync {
  try {
    return new DatabaseSync(join(path, 'opening'), { timeout });
  } catch (error) {
    throw unavailable(path, messageOf(error), error);
  }
}

/** False where another has the lock. */
function isGiven(ask: () => unknown, path: string): boolean {
  try {
    ask();
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY) return false;
    throw unavailable(path, messageOf(error), error);
  }
}

function unavailable(path: string, reason: string, cause?: unknown): HeadraceError {
  return new HeadraceError('HR_ONLINE_UNAVAILABLE', `the online store at ${path} cannot be opened: ${reason}`, {
    cause,
  });
}
