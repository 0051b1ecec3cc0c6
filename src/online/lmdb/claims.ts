// Idempotency-Keys within LMDB, as JSON: first wins, under LMDB's one write lock for all processes. Their end is counted
// in time that really passed, so that no wall clock can bring it near.

import type { Micros } from '../../core/index.ts';
import { holdsClaim } from '../claims.ts';
import type { Claim, ClaimPlace } from '../online-store.ts';
import type { Db } from './open-lmdb.ts';
import type { PassingTime } from './passing-time.ts';
import type { StoreKeys } from './store-keys.ts';

/** A claim's key and value as the records have them. */
export type JournalEntry = readonly [key: Buffer, value: Buffer];

export interface Claims {
  get(id: string): Claim | undefined;
  /** Within a transaction: the ones that hold the ids from now on. */
  claim(claims: readonly Claim[]): readonly Claim[];
  /** Within a transaction. */
  finish(claims: readonly Claim[]): void;
  /** Within a transaction: these entries hold their claims no longer. */
  release(claims: readonly ClaimPlace[]): void;
  /** Within a transaction. */
  expire(claims: readonly ClaimPlace[], retentionMs: number): void;
  /** As it is put back after a power loss: without an end, which whoever settles the log sets again. */
  entryOf(claim: Claim): JournalEntry;
  /** Up to `limit` keys of claims after `after`. */
  keys(limit: number, after: Uint8Array | undefined): readonly Uint8Array[];
  /** Whether a claim may be forgotten once so much time has passed for the store. */
  isOver(key: Uint8Array, passed: Micros): boolean;
}

/** How much time has passed for the store at its end: set once its cut is sealed; until then it is kept, however long. */
type StoredClaim = Claim & { readonly until?: Micros };

export function createClaims(db: Db, keys: StoreKeys, time: PassingTime): Claims {
  const read = (key: Uint8Array): StoredClaim | undefined => {
    const value = db.getBinary(key);
    return value === undefined ? undefined : parse(value);
  };
  const put = (id: string, claim: StoredClaim): void => {
    db.putSync(keys.claim(id), Buffer.from(JSON.stringify(claim)));
  };
  const get = (id: string): StoredClaim | undefined => {
    const claim = read(keys.claim(id));
    return claim?.until !== undefined && claim.until < time.now() ? undefined : claim;
  };

  return {
    get: (id) => withoutEnd(get(id)),
    claim(claims) {
      time.moveOn();
      return claims.map((claim) => {
        const holder = get(claim.id);
        if (holder === undefined) put(claim.id, claim);
        return withoutEnd(holder) ?? claim;
      });
    },
    finish(claims) {
      for (const claim of claims) {
        const holder = get(claim.id);
        if (holder === undefined || !holdsClaim(claim, holder)) continue;
        if (claim.result !== undefined) put(claim.id, { ...holder, result: claim.result });
      }
    },
    release(claims) {
      for (const claim of claims) {
        const holder = get(claim.id);
        if (holder !== undefined && holdsClaim(claim, holder)) db.removeSync(keys.claim(claim.id));
      }
    },
    expire(claims, retentionMs) {
      const until = time.anchor() + retentionMs * 1000;
      for (const claim of claims) {
        const holder = get(claim.id);
        if (holder !== undefined && holdsClaim(claim, holder)) put(claim.id, { ...holder, until });
      }
    },
    entryOf: (claim) => [keys.claim(claim.id), Buffer.from(JSON.stringify(claim))],
    keys(limit, after) {
      const { start, end } = keys.claims();
      return [...db.getKeys({ start: after ?? start, end, exclusiveStart: after !== undefined, limit })];
    },
    isOver(key, passed) {
      const until = read(key)?.until;
      return until !== undefined && until < passed;
    },
  };
}

/**
 * Whether a claim that was given came in the place of what is stored: another entry's, which must have been over by then,
 * for it has an end.
 */
export function isReplaced(stored: Uint8Array, given: Uint8Array): boolean {
  const before = parse(stored);
  return before.until !== undefined && !holdsClaim(parse(given), before);
}

function parse(value: Uint8Array): StoredClaim {
  // The bytes that `put` or `entryOf` wrote.
  return JSON.parse(Buffer.from(value).toString()) as StoredClaim;
}

function withoutEnd(claim: StoredClaim | undefined): Claim | undefined {
  if (claim?.until === undefined) return claim;
  const { until: _, ...rest } = claim;
  return rest;
}
