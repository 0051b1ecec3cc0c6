// Removes all of a version, a step at a time: its mark first, so that nobody builds on what is going.

import type { VersionId } from '../online-store.ts';
import type { Environment } from './environment.ts';
import type { Records } from './records.ts';
import type { StoreKeys } from './store-keys.ts';
import { KEYS_PER_TRANSACTION, nextTurn } from './write-queue.ts';

export interface Removal {
  readonly environment: Environment;
  readonly keys: StoreKeys;
  readonly records: Records;
  readonly entity: string;
  readonly version: VersionId;
  /** Within each transaction: throws once a later run has the version. */
  checkFence(): void;
  /** Before each step. */
  checkOpen(): Promise<void>;
}

/** Gives how many records were removed. */
export async function removeVersion(removal: Removal): Promise<number> {
  const { environment, keys, records, entity, version, checkFence, checkOpen } = removal;
  const { db } = environment;
  await environment.write(() => {
    checkFence();
    db.removeSync(keys.mark(version));
    db.removeSync(keys.hasParts(version));
  });
  const { start, end } = keys.records(entity);
  let removed = 0;
  let after: Uint8Array | undefined;
  for (;;) {
    await checkOpen();
    const range = { start: after ?? start, end, exclusiveStart: after !== undefined, limit: KEYS_PER_TRANSACTION };
    const step = [...environment.fresh().getKeys(range)];
    const own = step.filter((key) => keys.entityKeyOf(key, entity, version) !== undefined);
    if (own.length > 0) {
      await environment.write(() => {
        checkFence();
        for (const key of own) records.remove(key);
      });
    }
    removed += own.length;
    if (step.length < KEYS_PER_TRANSACTION) return removed;
    after = step.at(-1);
    await nextTurn();
  }
}
