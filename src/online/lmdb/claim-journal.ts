// Claims must outlive a power loss, and the records' commits do not wait for the disk. A checkpoint for each would write
// every page that changed since the last; so a claim goes to the ledger too, where it stays until a checkpoint has it, and
// after a power loss what the newest checkpoint lacks is put back from there.

import { randomUUID } from 'node:crypto';
import type { Db } from './open-lmdb.ts';
import { isReplaced, type JournalEntry } from './claims.ts';
import { ensureRoom } from './disk-room.ts';
import type { OpeningLock } from './opening-lock.ts';

const PREFIX = 'w';
// Made anew for each call: the library writes into what it is given.
const all = () => ({ start: Buffer.from(PREFIX), end: Buffer.from([PREFIX.charCodeAt(0) + 1]) });

/**
 * Gives the function that resolves once claims, committed to the records before, would survive a power loss. It throws
 * HR_STORAGE_FULL while the disk of the ledger, which lies at `path`, is all but full.
 */
export function createClaimJournal(
  ledger: Db,
  path: string,
  lock: Pick<OpeningLock, 'commits'>,
): (claims: readonly JournalEntry[]) => Promise<void> {
  const own = `${PREFIX}${randomUUID()}-`;
  let next = 0;
  return async (claims) => {
    const value = JSON.stringify(claims.map((entry) => entry.map((bytes) => bytes.toString('latin1'))));
    ensureRoom(path, 2 * value.length);
    const key = Buffer.from(own + String(next++).padStart(12, '0'));
    await lock.commits(() => ledger.put(key, Buffer.from(value)));
  };
}

/** What a checkpoint that begins now will have: all processes'. */
export function journaled(ledger: Db): readonly Uint8Array[] {
  ledger.resetReadTxn();
  return [...ledger.getKeys(all())];
}

/**
 * Puts back, in one transaction that waits for the disk, what the records lack: also a claim in whose place they have one
 * that was over when it came.
 */
export function putBack(ledger: Db, records: Db): void {
  const claims = [...ledger.getRange(all())].flatMap(({ value }) =>
    // What the journal wrote.
    (JSON.parse(value.toString()) as readonly (readonly [string, string])[]).map(
      ([key, claim]) => [Buffer.from(key, 'latin1'), Buffer.from(claim, 'latin1')] as const,
    ),
  );
  records.transactionSync(() => {
    for (const [key, claim] of claims) {
      const stored = records.get(key);
      if (stored === undefined || isReplaced(stored, claim)) records.putSync(key, claim);
    }
  });
}
