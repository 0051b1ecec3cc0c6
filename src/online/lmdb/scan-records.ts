// Walks a version's records in steps, each at one commit, so that a long walk keeps no old pages from being used again.

import type { EncodedKey } from '../../core/index.ts';
import type { StoredRecord, VersionId } from '../online-store.ts';
import type { Environment } from './environment.ts';
import type { Records } from './records.ts';
import type { StoreKeys } from './store-keys.ts';
import { nextTurn } from './write-queue.ts';

const STEP = 256;

export async function* scanRecords(
  environment: Environment,
  keys: StoreKeys,
  records: Records,
  entity: string,
  version: VersionId,
): AsyncGenerator<{ readonly key: EncodedKey; readonly record: StoredRecord }> {
  const { start, end } = keys.records(entity);
  let after: Uint8Array | undefined;
  for (;;) {
    const db = environment.fresh();
    const step = [...db.getKeys({ start: after ?? start, end, exclusiveStart: after !== undefined, limit: STEP })];
    const found: { key: EncodedKey; record: StoredRecord }[] = [];
    for (const recordKey of step) {
      const short = keys.entityKeyOf(recordKey, entity, version);
      if (short === undefined) continue;
      // Branding: what `record` put into the key.
      const key = records.longKeyOf(recordKey) ?? (short as EncodedKey);
      const record = records.read({ entity, key, version });
      if (record !== undefined) found.push({ key, record });
    }
    yield* found;
    if (step.length < STEP) return;
    after = step.at(-1);
    await nextTurn();
  }
}
