// Removes what is past its lifetime, a step at a time: records, and claims that may be forgotten.

import type { Micros } from '../../core/index.ts';
import type { Claims } from './claims.ts';
import type { Environment } from './environment.ts';
import type { PassingTime } from './passing-time.ts';
import type { Records } from './records.ts';
import { PLACE, type StoreKeys } from './store-keys.ts';
import { KEYS_PER_TRANSACTION, nextTurn } from './write-queue.ts';

export interface Swept {
  readonly environment: Environment;
  readonly keys: StoreKeys;
  readonly records: Records;
  readonly claims: Claims;
  readonly time: PassingTime;
}

/** Records by `now`, claims by the time that has passed for the store. Gives how many records were removed. */
export async function sweep({ environment, keys, records, claims, time }: Swept, now: Micros): Promise<number> {
  await environment.beginWriting();
  const removed = await sweepRecords(environment, keys, records, now);
  await sweepClaims(environment, claims, await environment.write(time.moveOn));
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

async function sweepClaims(environment: Environment, claims: Claims, passed: Micros): Promise<void> {
  const { db } = environment;
  let after: Uint8Array | undefined;
  for (;;) {
    environment.fresh();
    const step = claims.keys(KEYS_PER_TRANSACTION, after);
    const over = step.filter((key) => claims.isOver(key, passed));
    if (over.length > 0) {
      await environment.write(() => {
        for (const key of over) if (claims.isOver(key, passed)) db.removeSync(key);
      });
    }
    if (step.length < KEYS_PER_TRANSACTION) return;
    after = step.at(-1);
    await nextTurn();
  }
}
