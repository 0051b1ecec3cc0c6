// Opens a SQLite file for many processes: write-ahead log, foreign keys, commits that survive a loss of power.

import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { Kysely, sql } from 'kysely';
import { HeadraceError, messageOf } from '../../../core/index.ts';
import type { Database, TransactionOptions } from '../database.ts';
import { runMigrations } from '../migrate.ts';
import { resultCode, SQLITE, whileBusy } from './sqlite-connection.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';
import { watchVersion } from './watch-version.ts';

/** `path` may be `:memory:`. Folders on the way are made, unless it is opened to read. */
export async function openSqlite(path: string, access: 'read' | 'write'): Promise<Database> {
  const file = await openFile(path, access);
  const around = new AsyncLocalStorage<{ isOpen: boolean }>();
  const isInTransaction = (): boolean => around.getStore()?.isOpen === true;
  // Who only reads may not take the writers' lock; memory has no other connection.
  const begin = access === 'read' || path === ':memory:' ? 'begin' : 'begin immediate';
  const kysely = new Kysely<unknown>({ dialect: createSqliteDialect(file, begin, isInTransaction) });
  // Row types are the caller's: each owner knows its own tables.
  const tables = <T>(): Kysely<T> => kysely as unknown as Kysely<T>;
  const database: Database = {
    kind: 'sqlite',
    tables,
    transaction: <T, R>(
      work: (trx: Kysely<T>) => Promise<R>,
      { isSnapshot = false, isLosable = false }: TransactionOptions = {},
    ) => {
      const run = (db: Kysely<T>): Promise<R> => {
        const begun = db.transaction();
        return (isSnapshot ? begun.setAccessMode('read only') : begun).execute(async (trx) => {
          const open = { isOpen: true };
          try {
            return await around.run(open, () => work(trx));
          } finally {
            open.isOpen = false;
          }
        });
      };
      return isLosable
        ? tables<T>()
            .connection()
            .execute((own) => unsynced(own, run))
        : run(tables<T>());
    },
    async migrate(owner, migrations) {
      await runMigrations(database, owner, migrations);
      return database;
    },
    listen: async (_channel, wake) => watchVersion(database, wake),
    async close() {
      await kysely.destroy();
      // Kysely destroys nothing that it never used.
      if (file.isOpen) file.close();
    },
  };
  return database;
}

/** What is committed meanwhile is in the write-ahead log, which the next commit that is synced syncs. */
async function unsynced<T, R>(own: Kysely<T>, run: (own: Kysely<T>) => Promise<R>): Promise<R> {
  await sql`pragma synchronous = normal`.execute(own);
  try {
    return await run(own);
  } finally {
    await sql`pragma synchronous = full`.execute(own);
  }
}

async function openFile(path: string, access: 'read' | 'write'): Promise<DatabaseSync> {
  try {
    return await (access === 'read' ? openToRead(path) : openToWrite(path));
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_STORAGE_FULL') throw error;
    const reason = messageOf(error);
    throw new HeadraceError('HR_STORAGE_UNAVAILABLE', `the SQLite database "${path}" cannot be opened: ${reason}`, {
      cause: error,
    });
  }
}

function openToWrite(path: string): Promise<DatabaseSync> {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
  return openBy(path, 'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
}

/** Changes neither rows nor the file's kind of journal, and needs no right to write. */
async function openToRead(path: string): Promise<DatabaseSync> {
  const prove = 'PRAGMA query_only = ON; SELECT 1 FROM sqlite_schema';
  try {
    return await openBy(path, prove);
  } catch (error) {
    // A write-ahead log is to be made even to read, in a folder that can't be written: without one nobody writes now, and the
    // file is read as it lies.
    if (resultCode(error) !== SQLITE.readonly || existsSync(`${path}-wal`)) throw error;
    return openBy(new URL(`${pathToFileURL(path).href}?immutable=1`), prove);
  }
}

async function openBy(path: string | URL, first: string): Promise<DatabaseSync> {
  const file = new DatabaseSync(path, { enableForeignKeyConstraints: true });
  try {
    // The wait for a lock is ours (whileBusy): SQLite's own would stop the event loop, and with it the lock's holder
    // when that is this process.
    await whileBusy(() => file.exec(`PRAGMA busy_timeout = 5; ${first}`));
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
