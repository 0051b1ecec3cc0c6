// Removes a version that is not kept any more, a step at a time: its mark first, so that nobody builds on what is going.

import type { VersionId } from '../online-store.ts';
import type { Environment } from './environment.ts';
import type { Records } from './records.ts';
import type { StoreKeys } from './store-keys.ts';
import { KEYS_PER_TRANSACTION, nextTurn } from './write-queue.ts';

/** Gives how many records were removed. The fence stays: a run that is late must not write again. */
export async function removeVersion(
  environment: Environment,
  keys: StoreKeys,
  records: Records,
  entity: string,
  version: VersionId,
): Promise<number> {
  const { db } = environment;
  await environment.beginWriting();
  await environment.write(() => {
    db.removeSync(keys.mark(version));
    db.removeSync(keys.hasParts(version));
  });
  const { start, end } = keys.records(entity);
  let removed = 0;
  let after: Uint8Array | undefined;
  for (;;) {
    const range = { start: after ?? start, end, exclusiveStart: after !== undefined, limit: KEYS_PER_TRANSACTION };
    const step = [...environment.fresh().getKeys(range)];
    const own = step.filter((key) => keys.entityKeyOf(key, entity, version) !== undefined);
    if (own.length > 0) {
      await environment.write(() => {
        for (const key of own) records.remove(key);
      });
    }
    removed += own.length;
    if (step.length < KEYS_PER_TRANSACTION) return removed;
    after = step.at(-1);
    await nextTurn();
  }
}
