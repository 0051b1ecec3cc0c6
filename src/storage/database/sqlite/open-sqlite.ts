// Opens a SQLite file for many processes: write-ahead log, foreign keys, commits that survive a loss of power.

import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { HeadraceError, messageOf } from '../../../core/index.ts';
import type { Database } from '../database.ts';
import { runMigrations } from '../migrate.ts';
import { whileBusy } from './sqlite-connection.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';

/** `path` may be `:memory:`. Folders on the way are made. */
export async function openSqlite(path: string): Promise<Database> {
  const file = await openFile(path);
  const around = new AsyncLocalStorage<{ isOpen: boolean }>();
  const isInTransaction = (): boolean => around.getStore()?.isOpen === true;
  const kysely = new Kysely<unknown>({ dialect: createSqliteDialect(file, isInTransaction) });
  // Row types are the caller's: each owner knows its own tables.
  const tables = <T>(): Kysely<T> => kysely as unknown as Kysely<T>;
  const database: Database = {
    kind: 'sqlite',
    tables,
    transaction: <T, R>(work: (trx: Kysely<T>) => Promise<R>) =>
      tables<T>()
        .transaction()
        .execute(async (trx) => {
          const open = { isOpen: true };
          try {
            return await around.run(open, () => work(trx));
          } finally {
            open.isOpen = false;
          }
        }),
    async migrate(owner, migrations) {
      await runMigrations(database, owner, migrations);
      return database;
    },
    async close() {
      await kysely.destroy();
      // Kysely destroys nothing that it never used.
      if (file.isOpen) file.close();
    },
  };
  return database;
}

async function openFile(path: string): Promise<DatabaseSync> {
  let file: DatabaseSync | undefined;
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
    file = new DatabaseSync(path, { enableForeignKeyConstraints: true });
    const opened = file;
    // The wait for a lock is ours (whileBusy): SQLite's own would stop the event loop, and with it the lock's holder
    // when that is this process.
    await whileBusy(() => opened.exec('PRAGMA busy_timeout = 5; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL'));
    return opened;
  } catch (error) {
    file?.close();
    if (error instanceof HeadraceError && error.code === 'HR_STORAGE_FULL') throw error;
    const reason = messageOf(error);
    throw new HeadraceError('HR_STORAGE_UNAVAILABLE', `the SQLite database "${path}" cannot be opened: ${reason}`, {
      cause: error,
    });
  }
}
