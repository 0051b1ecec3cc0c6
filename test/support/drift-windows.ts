// Drift's store on each database in turn, and what was counted of one feature in an hour, for tests of what is kept and read.

import { afterAll, beforeAll, describe } from 'vitest';
import type { Micros } from '../../src/core/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { type DriftStore, openDriftStore } from '../../src/monitoring/index.ts';
import { databasesByTier } from './databases.ts';
import { HOUR } from './drift-world.ts';

export { HOUR };
export const NOW = 1_795_000_000_000_000;

/** `what` names the tests where a database is missing. */
export function onEachDriftStore(
  what: string,
  tests: (given: { readonly database: Database; readonly store: DriftStore }) => void,
): void {
  describe.each(databasesByTier(what))(`${what} on $name`, (databases) => {
    let database: Database;
    let store: DriftStore;
    beforeAll(async () => {
      await databases.start();
      database = await openDatabase(await databases.newUrl());
      store = await openDriftStore(database);
    });
    afterAll(async () => {
      await database.close();
      await databases.stop();
    });
    tests({
      get database() {
        return database;
      },
      get store() {
        return store;
      },
    });
  });
}

/** Of an hour from `from` on, as held against `reference`. */
export async function saveWindow(
  store: DriftStore,
  endpoint: string,
  { from, rows, reference }: { readonly from: Micros; readonly rows: number; readonly reference: string },
): Promise<void> {
  const counts = { bins: [], absent: 0, invalid: 0, rows, missing: 0, nulls: 0, empty: 0, fresh: [] };
  const arm = { variant: 'stable', model: 'returns', version: 1 };
  const of = { arm, kind: 'feature', feature: 'amount', reference } as const;
  await store.saveWindow(endpoint, HOUR, [{ ...of, from, to: from + HOUR, rows, units: rows, counts }]);
}
