// A materialize run's way into LMDB. The fence is a number in the store, and each transaction of the run looks at it
// under the write lock: a run that a later one has fenced changes nothing more, however late it wakes up.

import type { Clock } from '../../core/index.ts';
import type { BaseWrite, RunLink, StoreRun, VersionId } from '../online-store.ts';
import { statsOf } from './checkpoints.ts';
import type { Environment } from './environment.ts';
import { runIsBusy } from './lmdb-errors.ts';
import type { KeptNotes } from './kept-notes.ts';
import { expiryAfter, NODE } from './node.ts';
import type { Db } from './open-lmdb.ts';
import type { Records } from './records.ts';
import type { StoreKeys } from './store-keys.ts';
import { removeVersion } from './remove-version.ts';
import { nextTurn } from './write-queue.ts';

export interface RunParts {
  readonly environment: Environment;
  readonly records: Records;
  readonly keys: StoreKeys;
  readonly notes: KeptNotes;
  readonly clock: Clock;
}

/** In one transaction: few enough that another process's push waits only milliseconds for it. */
const RECORDS = 1024;
const BYTES = 1024 ** 2;
/** The file may grow by so much before a checkpoint lets the pages that were replaced be used again. */
const GROWTH_BYTES = 64 * 1024 ** 2;

export async function openLmdbRun(
  { environment, records, keys, notes, clock }: RunParts,
  { version, entity, run, registry, lifetimeMs, isOpen }: RunLink,
): Promise<StoreRun> {
  const { db } = environment;
  const fence = keys.fence(version);
  await environment.beginWriting();
  await environment.write(() => {
    notes.noteRun(run, registry);
    const holder = readNumber(db, fence);
    if (holder !== undefined && holder > run) throw runIsBusy(version, run, holder);
    db.putSync(fence, Buffer.from(String(run)));
  });

  const checkFence = (): void => {
    const holder = readNumber(db, fence);
    if (holder !== run) throw runIsBusy(version, run, holder);
  };

  let flushedSize = statsOf(db).lastPageNumber;
  let flushing: Promise<void> | undefined;
  /** Lets one checkpoint be made beside the writing, never two behind. */
  const bindGrowth = async (): Promise<void> => {
    const { lastPageNumber, pageSize } = statsOf(db);
    if ((lastPageNumber - flushedSize) * pageSize < GROWTH_BYTES) return;
    await flushing;
    flushedSize = lastPageNumber;
    flushing = environment.flush();
    flushing.catch(() => undefined);
  };

  const writeBatches = async (writes: readonly BaseWrite[]): Promise<void> => {
    let next = 0;
    while (next < writes.length) {
      if (next > 0) await nextTurn();
      const from = next;
      next = await environment.write(() => {
        checkFence();
        const now = clock.nowMicros();
        const mayHaveParts = records.hasParts(version);
        let bytes = 0;
        let at = from;
        for (; at < writes.length && at - from < RECORDS && bytes < BYTES; at++) {
          const write = writes[at] as BaseWrite;
          records.putBase(version, write, expiryAfter(now, lifetimeMs(write.entity), write.waitsMs), mayHaveParts);
          bytes += write.base.length;
        }
        return at;
      });
      await bindGrowth();
    }
  };

  const checkOpen = async (): Promise<void> => {
    if (!(await isOpen())) throw runIsBusy(version, run, undefined);
  };

  let hasBegun = false;
  const checkBegun = (): void => {
    if (!hasBegun) throw runIsBusy(version, run, undefined);
  };

  // Calls that the caller doesn't wait for are still done in order.
  let last: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };

  return {
    nodes: [NODE],
    nodeOf: () => NODE,
    begin: () =>
      inOrder(async () => {
        hasBegun = false;
        await checkOpen();
        await environment.write(checkFence);
        hasBegun = true;
      }),
    write: (_node, writes) =>
      inOrder(async () => {
        checkBegun();
        await writeBatches(writes);
      }),
    mark: () =>
      inOrder(async () => {
        checkBegun();
        await environment.write(() => {
          checkFence();
          db.putSync(keys.mark(version), Buffer.from(String(run)));
        });
        // What survives a power loss is all up to some commit, so the bases are there wherever the mark is.
        await environment.flush();
      }),
    remove: () =>
      inOrder(() => {
        checkBegun();
        return removeVersion({ environment, keys, records, entity, version, checkFence, checkOpen });
      }),
    async close() {
      await last;
      await flushing?.catch(() => undefined);
    },
  };
}

export function readMark(db: Db, keys: StoreKeys, version: VersionId): number | undefined {
  return readNumber(db, keys.mark(version));
}

function readNumber(db: Db, key: Uint8Array): number | undefined {
  const value = db.getBinary(key);
  return value === undefined ? undefined : Number(Buffer.from(value).toString('latin1'));
}
