// Opens Postgres by `pg` with a small pool. The URL may hold a password, so no error or log shows it.

import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { HeadraceError } from '../../../core/index.ts';
import { withoutPassword } from '../../without-password.ts';
import type { Database } from '../database.ts';
import { runMigrations } from '../migrate.ts';

const MAX_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 10_000;

// pg gives int8 and numeric as text, because a double can't hold all of them.
const OID_INT8 = 20;
const OID_NUMERIC = 1700;

const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === OID_INT8 || oid === OID_NUMERIC
    ? parseNumber
    : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser; // Its overloads differ only in format.

function parseNumber(text: string): number | bigint {
  const number = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(number) ? BigInt(text) : number;
}

/** Connects once to prove that the URL works. Throws HR_STORAGE_UNAVAILABLE. */
export async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    allowExitOnIdle: true,
    types: { getTypeParser },
  });
  // A connection lost while idle is replaced at the next query; without a listener it would end the process.
  pool.on('error', () => {});
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    await sql`select 1`.execute(kysely);
  } catch (error) {
    await kysely.destroy();
    throw unavailable(url, error);
  }
  // Row types are the caller's: each owner knows its own tables.
  const tables = <T>(): Kysely<T> => kysely as unknown as Kysely<T>;
  const database: Database = {
    kind: 'postgres',
    tables,
    async transaction<T, R>(work: (trx: Kysely<T>) => Promise<R>, options: { readonly serializedBy?: string } = {}) {
      try {
        return await tables<T>()
          .transaction()
          .execute(async (trx) => {
            const { serializedBy } = options;
            // The lock's number is 64 bits of the name's hash; it goes with the transaction.
            if (serializedBy !== undefined) await sql`select pg_advisory_xact_lock(hashtextextended(${serializedBy}, 0))`.execute(trx);
            return await work(trx);
          });
      } catch (error) {
        throw catalogued(url, error);
      }
    },
    migrate: (owner, migrations) => runMigrations(database, owner, migrations),
    close: () => kysely.destroy(),
  };
  return database;
}

function catalogued(url: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === '53100') return new HeadraceError('HR_STORAGE_FULL', "Postgres's disk is full", { cause: error });
  const isConnection = code.startsWith('08') || code.startsWith('57P') || /^E(CONN|HOST|PIPE|NOTFOUND|TIMEDOUT)/.test(code);
  return isConnection ? unavailable(url, error) : error;
}

function unavailable(url: string, error: unknown): HeadraceError {
  const reason = error instanceof Error ? error.message || String('code' in error ? error.code : error.name) : String(error);
  const sentence = `Postgres at ${withoutPassword(url)} does not answer: ${reason}. Check the URL and that it runs.`;
  return new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: error });
}
