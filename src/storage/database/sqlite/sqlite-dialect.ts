// Kysely's SQLite dialect over Node's own node:sqlite: compiler, adapter and introspection are Kysely's,
// the driver is ours.

import type { DatabaseSync } from 'node:sqlite';
import { type Dialect, type Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { createSqliteDriver, type SqliteBegin } from './sqlite-driver.ts';

/**
 * `begin` starts a transaction; `isInTransaction` says whether the code that asks runs inside an open one of this database.
 */
export function createSqliteDialect(
  database: DatabaseSync,
  begin: SqliteBegin,
  isInTransaction: () => boolean,
): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => createSqliteDriver(database, begin, isInTransaction),
    // Kysely's own signature leaves the tables open.
    createIntrospector: (db) => new SqliteIntrospector(db as Kysely<unknown>),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}
