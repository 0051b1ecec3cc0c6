// Idempotency-Keys within LMDB, as JSON: first wins, under LMDB's one write lock for all processes.

import type { Micros } from '../../core/index.ts';
import type { Claim } from '../online-store.ts';
import type { Db } from './checkpoints.ts';
import type { JournalEntry } from './claim-journal.ts';
import type { StoreKeys } from './store-keys.ts';

export interface Claims {
  get(id: string, now: Micros): Claim | undefined;
  /** Within a transaction: the one that holds the id from now on. */
  claim(claim: Claim, now: Micros): Claim;
  finish(claim: Claim, now: Micros): void;
  expire(id: string, expiry: Micros): void;
  /** As it is put back after a power loss: without an end, so it is kept longer than it must be, which does no harm. */
  entryOf(claim: Claim): JournalEntry;
  /** Up to `limit` keys of claims after `after`. */
  keys(limit: number, after: Uint8Array | undefined): readonly Uint8Array[];
  isExpired(key: Uint8Array, now: Micros): boolean;
}

/** `expiry` is set once the claim's cut is sealed; until then it is kept, however long. */
type StoredClaim = Claim & { readonly expiry?: Micros };

export function createClaims(db: Db, keys: StoreKeys): Claims {
  const read = (key: Uint8Array): StoredClaim | undefined => {
    const value = db.getBinary(key);
    // The bytes that `put` wrote.
    return value === undefined ? undefined : (JSON.parse(Buffer.from(value).toString()) as StoredClaim);
  };
  const put = (id: string, claim: StoredClaim): void => {
    db.putSync(keys.claim(id), Buffer.from(JSON.stringify(claim)));
  };
  const get = (id: string, now: Micros): StoredClaim | undefined => {
    const claim = read(keys.claim(id));
    return claim?.expiry !== undefined && claim.expiry < now ? undefined : claim;
  };

  return {
    get: (id, now) => withoutExpiry(get(id, now)),
    claim(claim, now) {
      const holder = get(claim.id, now);
      if (holder === undefined) put(claim.id, claim);
      return withoutExpiry(holder) ?? claim;
    },
    finish(claim, now) {
      const holder = get(claim.id, now);
      if (holder === undefined || holder.writer !== claim.writer || holder.offset !== claim.offset) return;
      if (claim.result !== undefined) put(claim.id, { ...holder, result: claim.result });
    },
    expire(id, expiry) {
      const holder = read(keys.claim(id));
      if (holder !== undefined) put(id, { ...holder, expiry });
    },
    entryOf: (claim) => [keys.claim(claim.id), Buffer.from(JSON.stringify(claim))],
    keys(limit, after) {
      const { start, end } = keys.claims();
      return [...db.getKeys({ start: after ?? start, end, exclusiveStart: after !== undefined, limit })];
    },
    isExpired(key, now) {
      const expiry = read(key)?.expiry;
      return expiry !== undefined && expiry < now;
    },
  };
}

function withoutExpiry(claim: StoredClaim | undefined): Claim | undefined {
  if (claim?.expiry === undefined) return claim;
  const { expiry: _, ...rest } = claim;
  return rest;
}
