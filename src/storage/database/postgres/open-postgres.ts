// Opens Postgres by `pg` with a small pool. The URL may hold a password, so no error or log shows it.

import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from 'kysely';
import pg from 'pg';
import { HeadraceError } from '../../../core/index.ts';
import { withoutPassword } from '../../without-password.ts';
import type { Database, TransactionOptions } from '../database.ts';
import { runMigrations } from '../migrate.ts';
import { listenOn } from './listen-on.ts';

const MAX_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
/** A server that is there and says nothing is away too. `?query_timeout=` in the URL sets another. */
const QUERY_TIMEOUT_MS = 30_000;
/**
 * A transaction in which nothing is asked for so long is ended by the server: its process stands still, or is gone without a word,
 * and nobody else gets what it has locked. Shorter than leases.
 */
const MOST_IDLE_MS = 10_000;

// pg gives int8 and numeric as text, because a double can't hold all of them.
const OID_INT8 = 20;
const OID_NUMERIC = 1700;

const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === OID_INT8 || oid === OID_NUMERIC
    ? parseNumber
    : // The overloads differ only in their format.
      pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser;

function parseNumber(text: string): number | bigint {
  const number = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(number) ? BigInt(text) : number;
}

/** Connects once to prove that the URL works. Throws HR_STORAGE_UNAVAILABLE. */
export async function openPostgres(
  url: string,
  access: 'read' | 'write',
  queryTimeoutMs = QUERY_TIMEOUT_MS,
): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    ...(access === 'read' ? { options: '-c default_transaction_read_only=on' } : {}),
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: Math.min(CONNECT_TIMEOUT_MS, queryTimeoutMs),
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    allowExitOnIdle: true,
    types: { getTypeParser },
    // No parameter of the connection: poolers in between refuse those that they don't know.
    async onConnect(client) {
      // As pg reads it, too.
      const told = Number(/[?&]query_timeout=(\d+)/.exec(url)?.[1] ?? queryTimeoutMs);
      await client.query(`set idle_in_transaction_session_timeout = ${Math.min(MOST_IDLE_MS, told)}`);
    },
  });
  // A lost connection is replaced at the next query; without listeners it would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: withCataloguedErrors(pool, url) }) });
  try {
    await sql`select 1`.execute(kysely);
  } catch (error) {
    await kysely.destroy();
    throw error instanceof HeadraceError ? error : unavailable(url, error);
  }
  // Row types are the caller's: each owner knows its own tables.
  const tables = <T>(): Kysely<T> => kysely as unknown as Kysely<T>;
  const database: Database = {
    kind: 'postgres',
    tables,
    transaction: <T, R>(work: (trx: Kysely<T>) => Promise<R>, options: TransactionOptions = {}) => {
      const { serializedBy, isSnapshot = false, isLosable = false } = options;
      const begin = tables<T>().transaction();
      const started = isSnapshot ? begin.setIsolationLevel('repeatable read').setAccessMode('read only') : begin;
      return started.execute(async (trx) => {
        // The lock's number is 64 bits of the name's hash; it goes with the transaction.
        const lock = sql`select pg_advisory_xact_lock(hashtextextended(${serializedBy}, 0))`;
        if (serializedBy !== undefined) await lock.execute(trx);
        // It holds nobody up, and whoever reads writes it elsewhere meanwhile.
        if (isSnapshot) await sql`set local idle_in_transaction_session_timeout = 0`.execute(trx);
        if (isLosable) await sql`set local synchronous_commit = off`.execute(trx);
        return await work(trx);
      });
    },
    async migrate(owner, migrations) {
      await runMigrations(database, owner, migrations);
      return database;
    },
    listen: (channel, wake) =>
      listenOn(
        () => new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS }),
        channel,
        wake,
      ).catch((error: unknown) => {
        throw catalogued(url, error);
      }),
    close: () => kysely.destroy(),
  };
  return database;
}

// What Kysely asks of a pool and its clients, with errors that users can read.
function withCataloguedErrors(pool: pg.Pool, url: string): PostgresPool {
  const run = async <R>(work: () => Promise<R>): Promise<R> => {
    try {
      return await work();
    } catch (error) {
      throw catalogued(url, error);
    }
  };
  return {
    async connect() {
      const client = await run(() => pool.connect());
      let silence: unknown;
      const query = (text: string, parameters: readonly unknown[]) =>
        run(async () => {
          // What it was asked last still waits for its answer: nothing that follows would come before that.
          if (silence !== undefined) throw silence;
          try {
            return await client.query(text, [...parameters]);
          } catch (error) {
            if (isSilence(error)) silence = error;
            throw error;
          }
        });
      return {
        // Its other form takes a cursor, for streaming, which nothing here does.
        query: query as unknown as PostgresPoolClient['query'],
        release: () => client.release(silence !== undefined),
      };
    },
    end: () => pool.end(),
  };
}

/** pg has no code for a query that was not answered in time. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout';
}

function catalogued(url: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === '53100') return new HeadraceError('HR_STORAGE_FULL', "Postgres's disk is full", { cause: error });
  // pg has no code for a connection that ended under a query.
  const isLost =
    isSilence(error) ||
    (error instanceof Error &&
      /^Connection terminated|^timeout exceeded when trying to connect|not queryable/.test(error.message));
  const isConnection =
    isLost || code.startsWith('08') || code.startsWith('57P') || /^E(CONN|HOST|PIPE|NOTFOUND|TIMEDOUT)/.test(code);
  return isConnection ? unavailable(url, error) : error;
}

/** With the error's message, or its code or name where it has none. */
export function unavailable(url: string, error: unknown): HeadraceError {
  const reason =
    error instanceof Error ? error.message || String('code' in error ? error.code : error.name) : String(error);
  const sentence = `Postgres at ${withoutPassword(url)} does not answer: ${reason}. Check the URL and that it runs.`;
  return new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: error });
}
