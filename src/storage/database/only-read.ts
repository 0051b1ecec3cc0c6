// A database opened to read: nobody's tables are made or changed through it, so a plan of a newer version leaves the registry
// as it is. It stands before any database, whatever its kind.

import type { Kysely, KyselyPlugin } from 'kysely';
import { HeadraceError } from '../../core/index.ts';
import type { Database, TransactionOptions } from './database.ts';
import { pendingMigrations } from './migrate.ts';

/** Tables that are not there are read as empty ones, from a database of `openEmpty`. */
export function onlyRead(database: Database, openEmpty: () => Promise<Database>): Database {
  let empty: Promise<Database> | undefined;
  const reading: Database = {
    kind: database.kind,
    tables: <T>() => database.tables<T>().withPlugin(refuseChanges),
    transaction: <T, R>(work: (trx: Kysely<T>) => Promise<R>, options?: TransactionOptions) =>
      database.transaction<T, R>((trx) => work(trx.withPlugin(refuseChanges)), options),
    async migrate(owner, migrations) {
      const missing = await pendingMigrations(database.tables(), owner, migrations);
      if (missing.length === 0) return reading;
      if (missing.length < migrations.length) throw outdated(owner, missing);
      empty ??= openEmpty();
      return await (await empty).migrate(owner, migrations);
    },
    async close() {
      await (await empty)?.close();
      await database.close();
    },
  };
  return reading;
}

const refuseChanges: KyselyPlugin = {
  transformQuery({ node }) {
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
