// How the records survive a power loss though no commit waits for the disk. LMDB alone would need one or the other: its
// pages reach the disk in any order. Here a checkpoint keeps LMDB's two meta pages of one commit in the ledger, an LMDB
// of its own that does wait, once all that the commit needs is on disk. A reader that stands at or before the newest
// checkpoint, held by each process that writes, keeps LMDB from using those pages again. After a power loss the
// meta pages are put back, and the records are what they were at the checkpoint, whole.

import { randomUUID } from 'node:crypto';
import { fdatasync, readSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Transaction } from 'lmdb';
import { HeadraceError } from '../../core/index.ts';
import { journaled } from './claim-journal.ts';
import { ensureRoom } from './disk-room.ts';
import { unwrapCommitError } from './lmdb-errors.ts';
import type { Db } from './open-lmdb.ts';
import type { OpeningLock } from './opening-lock.ts';

export interface Checkpoints {
  /** Before the first write of this process. */
  begin(): Promise<void>;
  /** Something was committed. */
  written(): void;
  /** Resolves once all that was committed before the call, by any process, would survive a power loss. */
  flush(): Promise<void>;
  /** Why no checkpoint can be made any more; undefined while one can. */
  readonly failure: Error | undefined;
  close(): Promise<void>;
}

export interface CheckpointParts {
  readonly records: Db;
  /** Another handle of the records, for the reader that is held: one on `records` would slow its reads. */
  readonly held: Db;
  readonly ledger: Db;
  readonly ledgerPath: string;
  readonly lock: Pick<OpeningLock, 'commits'>;
  /** The records' data file. */
  readonly file: number;
  /** The flags of a transaction that doesn't wait for the disk. */
  readonly flags: number;
  /** How often it makes a checkpoint of what was written since the last, in milliseconds. */
  readonly everyMs: number;
}

/** Dead processes' readers keep pages from being used again until they are looked for. */
const READER_CHECK_TICKS = 60;
const SLOT = 's';

const syncToDisk = promisify(fdatasync);

/** What is held: LMDB keeps every page of a commit from `upTo` on. */
interface Hold {
  readonly reader: Transaction;
  readonly upTo: number;
}

export function createCheckpoints({
  records,
  held,
  ledger,
  ledgerPath,
  lock,
  file,
  flags,
  everyMs,
}: CheckpointParts): Checkpoints {
  // Each process has its own place in the ledger, so that none can take back a later checkpoint of another.
  const slot = Buffer.from(`${SLOT}${randomUUID()}`);
  const pages = Buffer.alloc(8 + 2 * statsOf(records).pageSize);
  let hold: Hold | undefined;
  let candidate: Hold | undefined;
  let isDirty = false;
  let broken: Error | undefined;
  let running: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ticks = 0;

  const take = (): Hold => {
    held.resetReadTxn();
    const reader = held.useReadTransaction();
    return { reader, upTo: statsOf(records).lastTxnId };
  };

  const moveTo = (next: Hold): void => {
    const old = hold;
    hold = next;
    old?.reader.done();
  };

  // In one commit: without the checkpoint they are still needed, and with another commit to come a process that is stopped
  // after this one would hold the ledger's lock, which every claim of the machine waits for.
  const replace = async (covered: readonly Uint8Array[]): Promise<void> => {
    ensureRoom(ledgerPath);
    await lock.commits(async () => {
      const kept: Promise<boolean>[] = [];
      const all = ledger.batch(() => {
        kept.push(ledger.put(slot, Buffer.from(pages)), ...covered.map((key) => ledger.remove(key)));
      });
      await Promise.all([all, ...kept]);
    });
  };

  const run = async (): Promise<void> => {
    if (broken !== undefined) throw broken;
    const next = take();
    try {
      isDirty = false;
      const covered = journaled(ledger);
      // Under the write lock, so that no commit changes the meta pages meanwhile; nothing is written.
      const last = records.transactionSync(() => {
        readSync(file, pages, 8, pages.length - 8, 0);
        return records.getWriteTxnId() - 1;
      }, flags);
      pages.writeDoubleLE(last, 0);
      await syncToDisk(file).catch((error: Error) => {
        // The system may count pages as written that it could not write: nothing here can be trusted to be on disk.
        broken = new HeadraceError('HR_ONLINE_UNAVAILABLE', `the online store's disk failed: ${error.message}`, {
          cause: error,
        });
        throw broken;
      });
      await replace(covered);
    } catch (error) {
      isDirty = true;
      next.reader.done();
      throw await unwrapCommitError(error);
    }
    moveTo(next);
    candidate?.reader.done();
    candidate = undefined;
  };

  const start = (): Promise<void> => {
    running = run().finally(() => {
      running = undefined;
    });
    return running;
  };

  const flush = async (): Promise<void> => {
    if (newestCheckpoint(ledger)?.txnId === statsOf(records).lastTxnId) return;
    if (running === undefined) return start();
    // The running one may have begun before what the caller wrote; the next one serves all who wait.
    waiting ??= running
      .catch(() => undefined)
      .then(() => {
        waiting = undefined;
        return start();
      });
    return waiting;
  };

  /** An idle process moves on behind the others' checkpoints, or its reader would keep their free pages for ever. */
  const follow = (): void => {
    if (running !== undefined || hold?.upTo === statsOf(records).lastTxnId) return;
    if (candidate !== undefined && (newestCheckpoint(ledger)?.txnId ?? 0) >= candidate.upTo) {
      moveTo(candidate);
      candidate = undefined;
    }
    candidate ??= take();
  };

  const tick = (): void => {
    if (isDirty && running === undefined) void flush().catch(() => undefined);
    else follow();
    if (++ticks % READER_CHECK_TICKS === 0) records.readerCheck();
  };

  return {
    async begin() {
      if (hold !== undefined) return;
      await (running ?? start());
      if (timer === undefined) timer = setInterval(tick, everyMs).unref();
    },
    written() {
      isDirty = true;
    },
    flush,
    get failure() {
      return broken;
    },
    async close() {
      clearInterval(timer);
      await running?.catch(() => undefined);
      if (hold !== undefined) await flush().catch(() => undefined);
      candidate?.reader.done();
      hold?.reader.done();
      [hold, candidate] = [undefined, undefined];
    },
  };
}

export interface Checkpoint {
  readonly txnId: number;
  /** LMDB's first two pages. */
  readonly pages: Buffer;
  readonly slot: Uint8Array;
}

export function newestCheckpoint(ledger: Db): Checkpoint | undefined {
  let newest: Checkpoint | undefined;
  ledger.resetReadTxn();
  for (const { key, value } of allCheckpoints(ledger)) {
    const txnId = value.readDoubleLE(0);
    if (newest === undefined || txnId > newest.txnId)
      newest = { txnId, pages: Buffer.from(value.subarray(8)), slot: key };
  }
  return newest;
}

export function allCheckpoints(ledger: Db): readonly { readonly key: Uint8Array; readonly value: Buffer }[] {
  return [...ledger.getRange({ start: Buffer.from(SLOT), end: Buffer.from([SLOT.charCodeAt(0) + 1]) })];
}

/** LMDB's own figures. */
export interface LmdbStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly lastTxnId: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  /** Of the list of free pages itself. */
  readonly free: {
    readonly treeBranchPageCount: number;
    readonly treeLeafPageCount: number;
    readonly overflowPages: number;
  };
}

export function statsOf(db: Db): LmdbStats {
  // The library's type says {}; these are always there.
  return db.getStats() as LmdbStats;
}
