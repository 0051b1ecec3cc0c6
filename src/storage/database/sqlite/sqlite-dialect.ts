// Kysely's SQLite dialect over Node's own node:sqlite: compiler, adapter and introspection are Kysely's,
// the driver is ours.

import type { DatabaseSync } from 'node:sqlite';
import { type Dialect, type Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { createSqliteDriver } from './sqlite-driver.ts';

/** `isInTransaction` says whether the code that asks runs inside an open transaction of this database. */
export function createSqliteDialect(database: DatabaseSync, isInTransaction: () => boolean): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => createSqliteDriver(database, isInTransaction),
    // Kysely's own signature leaves the tables open.
    createIntrospector: (db) => new SqliteIntrospector(db as Kysely<unknown>),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}
