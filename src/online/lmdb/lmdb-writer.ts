// A writer's way into LMDB. Its own writes are seen by every process once they resolve; only a claim waits for the disk,
// for the entry in the log outlives a power loss and would be void without it.

import type { Clock } from '../../core/index.ts';
import type { Durable, PartWrite, StoreWriter, WriterLink } from '../online-store.ts';
import type { Claims } from './claims.ts';
import type { Environment } from './environment.ts';
import { expiryAfter, NODE } from './node.ts';
import type { KeptNotes } from './kept-notes.ts';
import type { Records } from './records.ts';
import { createWriteQueue, KEYS_PER_TRANSACTION } from './write-queue.ts';

/** One machine's store: it has no replicas. */
const ON_DISK: Durable = { disk: true, replicas: 0 };

export interface WriterParts {
  readonly environment: Environment;
  readonly records: Records;
  readonly claims: Claims;
  readonly notes: KeptNotes;
  readonly clock: Clock;
}

export async function openLmdbWriter(
  { environment, records, claims, notes, clock }: WriterParts,
  link: WriterLink,
): Promise<StoreWriter> {
  await environment.beginWriting();
  // Of two writers of one number the later one finds the other here: the numbers of their parts alone would not tell.
  const isOwnNumber = await environment.write(() => notes.noteWriter(link));
  const queue = createWriteQueue(environment);
  const pending = new Set<Promise<unknown>>();

  const add = async <T>(keys: number, work: () => T): Promise<T> => {
    const done = queue.add(keys, work);
    pending.add(done);
    try {
      return await done;
    } finally {
      pending.delete(done);
    }
  };

  const putTogether = (parts: readonly PartWrite[]): Promise<readonly PartWrite[] | undefined> =>
    add(parts.length, () => {
      if (!isOwnNumber) return parts;
      const now = clock.nowMicros();
      const isTaken = (part: PartWrite): boolean =>
        records.putPart(part, expiryAfter(now, link.lifetimeMs(part.entity), part.waitsMs));
      const refused = parts.filter((part) => !isTaken(part));
      return refused.length === 0 ? undefined : refused;
    });

  link.onNode(NODE);
  return {
    async putParts(parts) {
      if (parts.length <= KEYS_PER_TRANSACTION) return putTogether(parts);
      const batches: Promise<readonly PartWrite[] | undefined>[] = [];
      for (let from = 0; from < parts.length; from += KEYS_PER_TRANSACTION) {
        batches.push(putTogether(parts.slice(from, from + KEYS_PER_TRANSACTION)));
      }
      const settled = await Promise.allSettled(batches);
      const failed = settled.find((batch) => batch.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      const refused = settled.flatMap((batch) => (batch.status === 'fulfilled' ? (batch.value ?? []) : []));
      return refused.length === 0 ? undefined : refused;
    },
    withdraw: async (parts) => {
      for (let from = 0; from < parts.length; from += KEYS_PER_TRANSACTION) {
        const some = parts.slice(from, from + KEYS_PER_TRANSACTION);
        await add(some.length, () => some.forEach(records.withdraw));
      }
    },
    async claim(wanted, onDurable) {
      const holders = await add(wanted.length, () => claims.claim(wanted));
      await environment.keepClaims(holders.map(claims.entryOf));
      wanted.forEach((_, index) => onDurable?.(index, ON_DISK));
      return holders;
    },
    async claims(ids, onDurable) {
      environment.fresh();
      ids.forEach((_, index) => onDurable?.(index, ON_DISK));
      return ids.map(claims.get);
    },
    release: (given) => add(given.length, () => claims.release(given)),
    finish: (done) => add(done.length, () => claims.finish(done)),
    expire: (held, retentionMs) => add(held.length, () => claims.expire(held, retentionMs)),
    reach: async () => {},
    nodeOf: () => NODE,
    nodeOfClaim: () => NODE,
    async close() {
      await Promise.allSettled(pending);
    },
  };
}
