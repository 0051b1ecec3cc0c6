// The migrations runner: what an owner applied is a row in headrace_migrations, written in the migrations' transaction.

import type { Kysely } from 'kysely';
import type { Database, Migration } from './database.ts';

interface MigrationTables {
  headrace_migrations: { owner: string; name: string };
}

/** Applies an owner's pending migrations in one transaction; see `Database.migrate`. */
export async function runMigrations(
  database: Pick<Database, 'kind' | 'tables' | 'transaction'>,
  owner: string,
  migrations: readonly Migration[],
): Promise<void> {
  if ((await pendingMigrations(database.tables(), owner, migrations)).length === 0) return;
  await database.transaction<MigrationTables, void>(
    async (trx) => {
      await trx.schema
        .createTable('headrace_migrations')
        .ifNotExists()
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('headrace_migrations_key', ['owner', 'name'])
        .execute();
      // Another process may have been first while this one waited for the lock.
      for (const migration of await pendingMigrations(trx, owner, migrations)) {
        // A migration knows no row types: it makes them.
        await migration.up(trx as unknown as Kysely<unknown>, database.kind);
        await trx.insertInto('headrace_migrations').values({ owner, name: migration.name }).execute();
      }
    },
    { serializedBy: 'headrace_migrations' },
  );
}

/** Those of an owner's migrations that were not applied yet, in order. */
export async function pendingMigrations(
  db: Kysely<MigrationTables>,
  owner: string,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> {
  if (!(await isMigrated(db))) return migrations;
  const rows = await db.selectFrom('headrace_migrations').select('name').where('owner', '=', owner).execute();
  const applied = new Set(rows.map((row) => row.name));
  return migrations.filter((migration) => !applied.has(migration.name));
}

/** Whether anybody has made tables here. */
export async function isMigrated(db: Pick<Kysely<unknown>, 'introspection'>): Promise<boolean> {
  return (await db.introspection.getTables()).some((table) => table.name === 'headrace_migrations');
}
