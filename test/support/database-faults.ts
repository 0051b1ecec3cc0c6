// A database whose user dies at a step: before its n-th statement, or after its n-th commit. What it has begun is undone, as if
// its process had been killed; nothing that it asks after that is done.
// Unlike crash-points.ts and fault-points.ts, which wrap calls, it counts the statements within a transaction and dies after a commit.

import type { Kysely, KyselyPlugin } from 'kysely';
import { HeadraceError } from '../../src/core/index.ts';
import type { Database } from '../../src/storage/index.ts';

export interface DatabaseFaults {
  /** At which step it dies; 0 is never. */
  diesAt: number;
  /** Statements and commits by now. */
  steps: number;
  /** It does not answer. */
  isAway?: boolean;
}

export class Died extends Error {}

export function withFaults(database: Database, faults: DatabaseFaults): Database {
  const step = (): void => {
    if (faults.isAway === true) throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the database does not answer');
    if (faults.diesAt > 0 && faults.steps >= faults.diesAt) throw new Died('died');
    faults.steps++;
    if (faults.steps === faults.diesAt) throw new Died(`died at step ${faults.steps}`);
  };
  const counting: KyselyPlugin = {
    transformQuery({ node }) {
      step();
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const watched: Database = {
    ...database,
    tables: <T>() => database.tables<T>().withPlugin(counting),
    async transaction<T, R>(work: (trx: Kysely<T>) => Promise<R>, options?: Parameters<Database['transaction']>[1]) {
      const result = await database.transaction<T, R>((trx) => work(trx.withPlugin(counting)), options);
      step();
      return result;
    },
    // Its tables are there.
    migrate: () => Promise.resolve(watched),
  };
  return watched;
}
