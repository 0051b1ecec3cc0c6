// Removes what is past its lifetime, a step at a time: records, and claims that may be forgotten.

import type { Micros } from '../../core/index.ts';
import type { Claims } from './claims.ts';
import type { Environment } from './environment.ts';
import type { Records } from './records.ts';
import { PLACE, type StoreKeys } from './store-keys.ts';
import { KEYS_PER_TRANSACTION, nextTurn } from './write-queue.ts';

/** Gives how many records were removed. */
export async function sweep(
  environment: Environment,
  keys: StoreKeys,
  records: Records,
  claims: Claims,
  now: Micros,
): Promise<number> {
  await environment.beginWriting();
  const removed = await sweepRecords(environment, keys, records, now);
  await sweepClaims(environment, claims, now);
  return removed;
}

async function sweepRecords(environment: Environment, keys: StoreKeys, records: Records, now: Micros): Promise<number> {
  const { start, end } = keys.records();
  let removed = 0;
  let after: Uint8Array | undefined;
  for (;;) {
    const range = { start: after ?? start, end, exclusiveStart: after !== undefined, limit: KEYS_PER_TRANSACTION };
    const step = [...environment.fresh().getKeys(range)];
    const expired = step.filter((key) => key[key.length - 1] === PLACE.main && records.isExpired(key, now));
    if (expired.length > 0) {
      // Each is looked at again: a push may have come in between.
      removed += await environment.write(() => expired.filter((key) => records.removeIfExpired(key, now)).length);
    }
    if (step.length < KEYS_PER_TRANSACTION) return removed;
    after = step.at(-1);
    await nextTurn();
  }
}

async function sweepClaims(environment: Environment, claims: Claims, now: Micros): Promise<void> {
  const { db } = environment;
  let after: Uint8Array | undefined;
  for (;;) {
    environment.fresh();
    const step = claims.keys(KEYS_PER_TRANSACTION, after);
    const expired = step.filter((key) => claims.isExpired(key, now));
    if (expired.length > 0) {
      await environment.write(() => {
        for (const key of expired) if (claims.isExpired(key, now)) db.removeSync(key);
      });
    }
    if (step.length < KEYS_PER_TRANSACTION) return;
    after = step.at(-1);
    await nextTurn();
  }
}
