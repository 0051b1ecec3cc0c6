// The runs of one database as two processes have them: each with connections of its own.

import { fixedClock } from '../../src/core/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';

export interface TwoStores {
  readonly db: Database;
  readonly other: Database;
  /** Over `db`. */
  readonly store: RunStore;
  /** Over `other`. */
  readonly second: RunStore;
  close(): Promise<void>;
}

/** By a clock that stands at 5 µs. */
export async function openTwoStores(url: string): Promise<TwoStores> {
  const [db, other] = [await openDatabase(url), await openDatabase(url)];
  const [store, second] = await Promise.all([openRunStore(db, fixedClock(5)), openRunStore(other, fixedClock(5))]);
  return {
    db,
    other,
    store,
    second,
    async close() {
      await db.close();
      await other.close();
    },
  };
}
