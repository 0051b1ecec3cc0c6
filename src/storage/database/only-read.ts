// A database opened to read: nobody's tables are made or changed through it, so a plan of a newer version leaves the registry
// as it is. It stands before any database, whatever its kind.

import type { Kysely, KyselyPlugin } from 'kysely';
import { HeadraceError } from '../../core/index.ts';
import type { Database, Migration, TransactionOptions } from './database.ts';
import { pendingMigrations } from './migrate.ts';

/**
 * `database` takes no change by SQL either. Tables that are not there are read as empty ones, from a database that `openEmpty`
 * makes with them, and that takes no change any more.
 */
export function onlyRead(
  database: Database,
  openEmpty: (owner: string, migrations: readonly Migration[]) => Promise<Database>,
): Database {
  /** By owner and migrations: an owner may have several sets, each with tables of its own. */
  const empties = new Map<string, Promise<Database>>();
  // Whose tables are empty may read others' as well, and those are in the database where it has them.
  const beside = (empty: Database): Database => ({
    ...withoutChanges(empty),
    migrate: (...of) => reading.migrate(...of),
  });
  const reading: Database = {
    ...withoutChanges(database),
    async migrate(owner, migrations) {
      const missing = await pendingMigrations(database.tables(), owner, migrations);
      if (missing.length === 0) return reading;
      if (missing.length < migrations.length) throw outdated(owner, missing);
      const key = [owner, ...migrations.map(({ name }) => name)].join();
      const empty = empties.get(key) ?? openEmpty(owner, migrations).then(beside);
      empties.set(key, empty);
      return await empty;
    },
    async close() {
      try {
        // Whoever asked for one that could not be made was told.
        const opened = await Promise.allSettled(empties.values());
        for (const one of opened) if (one.status === 'fulfilled') await one.value.close();
      } finally {
        await database.close();
      }
    },
  };
  return reading;
}

/** Says in our words what the database itself would refuse. */
function withoutChanges(database: Database): Database {
  return {
    ...database,
    tables: <T>() => database.tables<T>().withPlugin(refuseChanges),
    transaction: <T, R>(work: (trx: Kysely<T>) => Promise<R>, options?: TransactionOptions) =>
      database.transaction<T, R>((trx) => work(trx.withPlugin(refuseChanges)), options),
  };
}

const refuseChanges: KyselyPlugin = {
  transformQuery({ node }) {
    // SQL as it stands may be anything; of changes the database knows.
    if (node.kind === 'SelectQueryNode' || node.kind === 'RawNode') return node;
    throw new HeadraceError('HR_INTERNAL', `the registry was opened to read, and got a ${node.kind}`);
  },
  transformResult: async ({ result }) => result,
};

function outdated(owner: string, missing: readonly { readonly name: string }[]): HeadraceError {
  const names = missing.map(({ name }) => name).join(', ');
  return new HeadraceError(
    'HR_REGISTRY_OUTDATED',
    `the registry is of an earlier version of Headrace. It lacks the migrations ${owner}: ${names}. What only reads does not migrate it; \`headrace apply\` does.`,
  );
}
