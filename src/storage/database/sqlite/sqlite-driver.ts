// The driver: one connection, used by one query or transaction at a time, in the order they asked.
// Transactions that write take the lock at once (BEGIN IMMEDIATE), so none can fail half-way for want of it.

import type { DatabaseSync } from 'node:sqlite';
import { CompiledQuery, type DatabaseConnection, type Driver } from 'kysely';
import { HeadraceError } from '../../../core/index.ts';
import { createSqliteConnection } from './sqlite-connection.ts';

export type SqliteBegin = 'begin' | 'begin immediate';

export function createSqliteDriver(database: DatabaseSync, begin: SqliteBegin, isInTransaction: () => boolean): Driver {
  const connection = createSqliteConnection(database);
  const waiting: (() => void)[] = [];
  let isTaken = false;
  const run = async (on: DatabaseConnection, sql: string): Promise<void> => {
    await on.executeQuery(CompiledQuery.raw(sql));
  };
  return {
    init: async () => {},
    async acquireConnection() {
      // It would wait for itself for ever.
      if (isInTransaction()) {
        throw new HeadraceError('HR_INTERNAL', 'inside a transaction only its `trx` may be used, not the database');
      }
      if (isTaken) await new Promise<void>((resolve) => waiting.push(resolve));
      isTaken = true;
      return connection;
    },
    async releaseConnection() {
      const next = waiting.shift();
      if (next === undefined) isTaken = false;
      else next();
    },
    // A snapshot takes no lock: those who write go on.
    beginTransaction: (on, { accessMode }) => run(on, accessMode === 'read only' ? 'begin' : begin),
    commitTransaction: (on) => run(on, 'commit'),
    async rollbackTransaction(on) {
      // Some errors (a full disk) have rolled back already.
      if (database.isTransaction) await run(on, 'rollback');
    },
    async destroy() {
      database.close();
    },
  };
}
