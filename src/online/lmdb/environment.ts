// The store's folder on disk: the records' LMDB, whose commits are seen by every process at once and wait for no disk,
// and the ledger's, which does wait and holds what a power loss must not take.

import { closeSync, existsSync, fdatasyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ABORT } from 'lmdb';
import { bootId } from './boot-id.ts';
import { allCheckpoints, type Checkpoint, createCheckpoints, newestCheckpoint } from './checkpoints.ts';
import { createClaimJournal, journaled, putBack } from './claim-journal.ts';
import type { JournalEntry } from './claims.ts';
import { ensureRoom } from './disk-room.ts';
import { storageFull, toStoreError, unwrapCommitError } from './lmdb-errors.ts';
import { COMMIT, type Db, NO_SYNC, openLmdb } from './open-lmdb.ts';
import { openAlone } from './opening-lock.ts';
import { createSizeLimit } from './size-limit.ts';

export interface Environment {
  /** For reads at the newest commit; the next gets of this turn see the same one. */
  fresh(): Db;
  /** For use within `write`. */
  readonly db: Db;
  /** Must have resolved before the first `write`. */
  beginWriting(): Promise<void>;
  /**
   * One transaction; seen by all processes when it resolves, and by itself sure to survive a killed process but not a
   * power loss. `work` may be called twice. Throws HR_STORAGE_FULL: nothing of it was kept.
   */
  write<T>(work: () => T): Promise<T>;
  /** Resolves once all that was written so far would survive a power loss. */
  flush(): Promise<void>;
  /** The same of claims alone, which is much quicker. Throws HR_ONLINE_UNAVAILABLE once the disk has failed. */
  keepClaims(claims: readonly JournalEntry[]): Promise<void>;
  close(): Promise<void>;
}

/** Throws HR_ONLINE_UNAVAILABLE when the folder can't be made or opened, HR_STORAGE_FULL when its disk is full. */
export function openEnvironment(path: string, limitBytes: number, checkpointMs: number): Environment {
  const boot = bootId();
  // Where nobody tells when the machine started, what is left after a power loss can't be known: each commit waits.
  const flags = boot === undefined ? COMMIT : COMMIT | NO_SYNC;
  const { ledger, records, held, file, lock } = openAll(path, boot);
  const ledgerPath = join(path, 'ledger');
  const checkpoints =
    boot === undefined
      ? undefined
      : createCheckpoints({ records, held, ledger, ledgerPath, lock, file, flags, everyMs: checkpointMs });
  const limit = createSizeLimit(records, limitBytes);
  const journal = createClaimJournal(ledger, ledgerPath, lock);

  const commit = <T>(work: () => T, isFlushed: boolean): { readonly result: T } | undefined => {
    let result: { readonly result: T } | undefined;
    let verdict = '';
    try {
      ensureRoom(path);
      records.transactionSync(() => {
        verdict = limit.measure(() => {
          result = { result: work() };
        }, isFlushed);
        return verdict === 'fits' ? undefined : ABORT;
      }, flags);
    } catch (error) {
      throw toStoreError(error, path);
    }
    if (verdict === 'full' || (verdict === 'after-flush' && isFlushed)) throw storageFull(path, limitBytes);
    if (verdict === 'after-flush') return undefined;
    checkpoints?.written();
    return result;
  };

  const flush = async (): Promise<void> => {
    try {
      await checkpoints?.flush();
    } catch (error) {
      throw toStoreError(error, path);
    }
  };

  return {
    db: records,
    fresh() {
      // The library reads one commit for a millisecond or more, which may be older than what another process answered.
      records.resetReadTxn();
      return records;
    },
    async beginWriting() {
      try {
        await checkpoints?.begin();
      } catch (error) {
        throw toStoreError(error, path);
      }
    },
    async write(work) {
      const done = lock.commit(() => commit(work, false));
      if (done !== undefined) return done.result;
      records.readerCheck();
      await flush();
      // `commit` gives undefined only before a flush.
      return (lock.commit(() => commit(work, true)) as { readonly result: ReturnType<typeof work> }).result;
    },
    flush,
    async keepClaims(claims) {
      // Where each commit waits, they are on disk as it is.
      if (checkpoints === undefined) return;
      // The ledger lies on the same disk, and without a checkpoint nothing would be taken out of it any more.
      if (checkpoints.failure !== undefined) throw checkpoints.failure;
      try {
        await journal(claims);
      } catch (error) {
        throw toStoreError(await unwrapCommitError(error), path);
      }
    },
    async close() {
      await checkpoints?.close();
      await lock.close();
      await records.close();
      await held.close();
      await ledger.close();
      closeSync(file);
    },
  };
}

function openAll(path: string, boot: string | undefined) {
  const recordsPath = join(path, 'records');
  const dataFile = join(recordsPath, 'data.mdb');
  try {
    mkdirSync(recordsPath, { recursive: true });
    const { opened, lock } = openAlone(path, () => {
      const ledger = openLmdb(join(path, 'ledger'));
      const recovered = boot === undefined ? undefined : recover(ledger, recordsPath, dataFile, boot);
      return { ledger, records: recovered ?? openLmdb(recordsPath), held: openLmdb(recordsPath) };
    });
    // A process that was killed leaves its readers, which would keep old pages from being used again.
    opened.records.readerCheck();
    return { ...opened, lock, file: openSync(dataFile, 'r') };
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/** While nobody else opens the records. Gives them where it opened them. */
function recover(ledger: Db, recordsPath: string, dataFile: string, boot: string): Db | undefined {
  const bootKey = Buffer.from('boot');
  let records: Db | undefined;
  ledger.transactionSync(() => {
    const known = ledger.get(bootKey)?.toString();
    // Of records that somebody took away, a checkpoint says nothing about those that are made next.
    const newest = existsSync(dataFile) ? newestCheckpoint(ledger) : undefined;
    for (const { key } of allCheckpoints(ledger)) {
      if (newest === undefined || Buffer.compare(key, newest.slot) !== 0) ledger.removeSync(key);
    }
    // Nor do claims that were given in them.
    if (newest === undefined) for (const key of journaled(ledger)) ledger.removeSync(key);
    if (known === boot) return;
    if (known !== undefined) {
      restore(newest, recordsPath, dataFile);
      records = openLmdb(recordsPath);
      putBack(ledger, records);
    }
    ledger.putSync(bootKey, Buffer.from(boot));
  });
  return records;
}

function restore(checkpoint: Checkpoint | undefined, recordsPath: string, dataFile: string): void {
  if (checkpoint === undefined) {
    rmSync(recordsPath, { recursive: true, force: true });
    mkdirSync(recordsPath);
    return;
  }
  const file = openSync(dataFile, 'r+');
  try {
    writeSync(file, checkpoint.pages, 0, checkpoint.pages.length, 0);
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}
