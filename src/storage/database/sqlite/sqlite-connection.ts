// Runs compiled queries on node:sqlite: statements are kept prepared, whole numbers never lose digits,
// and a lock held elsewhere is waited for without blocking the event loop.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { HeadraceError } from '../../../core/index.ts';

const MAX_PREPARED = 256;
const BUSY_LIMIT_MS = 30_000;

interface Prepared {
  readonly statement: StatementSync;
  readonly isReader: boolean;
}

export function createSqliteConnection(database: DatabaseSync): DatabaseConnection {
  const prepared = new Map<string, Prepared>();

  const prepare = (sql: string): Prepared => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    const made = { statement, isReader: statement.columns().length > 0 };
    const oldest = prepared.size >= MAX_PREPARED ? prepared.keys().next().value : undefined;
    if (oldest !== undefined) prepared.delete(oldest);
    prepared.set(sql, made);
    return made;
  };

  const execute = <R>(query: CompiledQuery): QueryResult<R> => {
    const { statement, isReader } = prepare(query.sql);
    const parameters = query.parameters.map(toSqlite);
    if (isReader) {
      const rows = statement.all(...parameters);
      for (const row of rows) narrowIntegers(row);
      // The caller's row type is what Kysely inferred from the query.
      return { rows: rows as R[] };
    }
    const { changes, lastInsertRowid } = statement.run(...parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  };

  return {
    executeQuery: (query) => whileBusy(() => execute(query)),
    streamQuery() {
      throw new HeadraceError('HR_INTERNAL', 'the SQLite driver does not stream; page by key instead');
    },
  };
}

/** Repeats `work` while another process or handle holds the lock. Throws HR_STORAGE_UNAVAILABLE, HR_STORAGE_FULL. */
export async function whileBusy<R>(work: () => R): Promise<R> {
  const giveUpAt = performance.now() + BUSY_LIMIT_MS;
  for (let attempt = 0; ; attempt++) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw asCatalogued(error);
      if (performance.now() > giveUpAt) {
        const seconds = BUSY_LIMIT_MS / 1000;
        const sentence = `the SQLite database stayed locked for ${seconds} s; end what holds it, then retry`;
        throw new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: error });
      }
      await sleep(Math.min(2 ** attempt, 25) + Math.random() * 5);
    }
  }
}

// Primary result codes of SQLite: the low byte of the extended ones.
export const SQLITE = { busy: 5, locked: 6, readonly: 8, full: 13, cantOpen: 14, corrupt: 11, notADatabase: 26 };

export function resultCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE.busy || code === SQLITE.locked;
}

function asCatalogued(error: unknown): unknown {
  switch (resultCode(error)) {
    case SQLITE.full:
      return new HeadraceError('HR_STORAGE_FULL', 'the disk of the SQLite database is full', { cause: error });
    case SQLITE.cantOpen:
      return new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the SQLite database cannot be opened', { cause: error });
    case SQLITE.corrupt:
    case SQLITE.notADatabase:
      return new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the file is no SQLite database, or is damaged', {
        cause: error,
      });
    default:
      return error;
  }
}

function toSqlite(value: unknown): SQLInputValue {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  // Anything else that SQLite can't hold is refused by it, by name.
  return value as SQLInputValue;
}

function narrowIntegers(row: Record<string, unknown>): void {
  for (const name in row) {
    const value = row[name];
    if (typeof value !== 'bigint') continue;
    const number = Number(value);
    if (Number.isSafeInteger(number)) row[name] = number;
  }
}
