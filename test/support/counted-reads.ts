// A database whose rows are counted as they are read, by the length of their values as text.

import type { Kysely, KyselyPlugin } from 'kysely';
import type { Database, TransactionOptions } from '../../src/storage/index.ts';

export interface CountedReads {
  readonly database: Database;
  /** How many characters `work` reads. */
  during(work: () => Promise<unknown>): Promise<number>;
}

export function countReads(database: Database): CountedReads {
  let characters = 0;
  const counting: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      for (const row of result.rows) for (const value of Object.values(row)) characters += String(value).length;
      return result;
    },
  };
  const over = (own: Database): Database => ({
    ...own,
    tables: <T>() => own.tables<T>().withPlugin(counting),
    transaction: <T, R>(work: (trx: Kysely<T>) => Promise<R>, options?: TransactionOptions) =>
      own.transaction<T, R>((trx) => work(trx.withPlugin(counting)), options),
    migrate: async (owner, migrations) => over(await own.migrate(owner, migrations)),
  });
  return {
    database: over(database),
    async during(work) {
      const before = characters;
      await work();
      return characters - before;
    },
  };
}
