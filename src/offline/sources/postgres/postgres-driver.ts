// Sources in PostgreSQL and in what speaks its protocol: RDS, Aurora, Redshift. Rows come by COPY, as the bytes that DuckDB
// reads; Redshift has none to a client, and gives rows.

import pg from 'pg';
import { messageOf, within } from '../../../core/index.ts';
import { quoteName } from '../../../storage/index.ts';
import { UNREADABLE_URL } from '../databases/connection-url.ts';
import type { DatabaseDriver, DatabaseSession, FoundColumn, SessionOptions } from '../databases/database.ts';
import { DatabaseTrouble } from '../databases/database-trouble.ts';
import type { RowFile } from '../databases/row-file.ts';
import { type Listening, unlessSilent } from '../databases/unless-silent.ts';
import { copyRows, eachRow } from './copy-rows.ts';
import { isRefused, troubleOf } from './postgres-errors.ts';
import { columnOf } from './postgres-types.ts';

const CONNECT_LIMIT_MS = 15_000;
const GOODBYE_LIMIT_MS = 1000;

const noop = (): void => {};

export const postgresDriver: DatabaseDriver = {
  name: 'Postgres',
  schemes: ['postgres', 'postgresql', 'redshift'],
  example: 'postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full',
  quote: ({ name }) => quoteName(name),
  open: openPostgresSession,
};

// Text of times and floats by these alone, whatever server, database or role have set. Redshift knows no `bytea_output`.
const BEGIN =
  'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ' +
  "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL extra_float_digits = 3";

async function openPostgresSession(url: string, { silenceMs }: SessionOptions): Promise<DatabaseSession> {
  const client = makeClient(url.replace(/^redshift:/i, 'postgres:'), Math.min(CONNECT_LIMIT_MS, silenceMs));
  // What ends between two queries is met by the next one.
  client.on('error', () => {});
  const { connection } = client as unknown as Sockets;
  const listening: Listening = {
    // TLS puts another stream in the place of the first.
    listen(heard) {
      const { stream } = connection;
      stream.on('data', heard);
      return () => void stream.off('data', heard);
    },
    giveUp: () => connection.stream.destroy(),
  };
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await unlessSilent(silenceMs, listening, work);
    } catch (error) {
      throw troubleOf(error);
    }
  };
  const rowsOf = (sql: string, values: readonly unknown[] = []) =>
    run(
      async () => (await client.query<Record<string, string>>({ text: sql, values: [...values], types: AS_TEXT })).rows,
    );
  try {
    await client.connect().catch((error: unknown) => {
      throw isRefused(error) ? new DatabaseTrouble('refused', messageOf(error)) : troubleOf(error, 'lost');
    });
    await run(() => client.query(BEGIN));
    const [{ version } = { version: '' }] = (await rowsOf('SELECT version() AS version')) as { version: string }[];
    return sessionOf({
      client,
      isRedshift: /^redshift:/i.test(url) || /redshift/i.test(version),
      run,
      rowsOf,
      giveUp: listening.giveUp,
    });
  } catch (error) {
    listening.giveUp();
    throw error;
  }
}

interface Opened {
  readonly client: pg.Client;
  readonly isRedshift: boolean;
  run<T>(work: () => Promise<T>): Promise<T>;
  rowsOf(sql: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, string>>[]>;
  giveUp(): void;
}

function sessionOf({ client, isRedshift, run, rowsOf, giveUp }: Opened): DatabaseSession {
  return {
    async describe(from): Promise<readonly FoundColumn[]> {
      const { fields } = await run(() => client.query(`SELECT * FROM ${from} LIMIT 0`));
      const oids = [...new Set(fields.map(({ dataTypeID }) => dataTypeID))];
      const types = await rowsOf(
        `SELECT oid, typname, typtype, format_type(oid, NULL) AS shown FROM pg_catalog.pg_type WHERE oid IN (${oids.join(', ') || 0})`,
      );
      const byOid = new Map(types.map((type) => [Number(type['oid']), type]));
      return fields.map(({ name, dataTypeID }) => {
        const { typname = 'unknown', typtype = 'b', shown = 'unknown' } = byOid.get(dataTypeID) ?? {};
        return columnOf(name, { name: typname, isEnum: typtype === 'e', shown });
      });
    },
    read: (sql: string, file: RowFile) =>
      run(() => (isRedshift ? eachRow(client, sql, file) : copyRows(client, sql, file))),
    async tables() {
      // A query that failed ended the transaction with what it saw.
      await run(() => client.query('ROLLBACK'));
      const rows = await rowsOf(
        'SELECT table_schema AS place, table_name AS name FROM information_schema.tables ' +
          "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2 LIMIT 10000",
      );
      return rows.map(({ place, name }) => `${place}.${name}`);
    },
    async close() {
      // It only read: there is nothing to commit. A server that is told goodbye logs no broken connection.
      await within(client.end().catch(noop), GOODBYE_LIMIT_MS);
      giveUp();
    },
  };
}

/** What is used of pg's client that its types don't name: `connection.stream` is documented as the socket. */
interface Sockets {
  readonly connection: { readonly stream: import('node:net').Socket };
}

const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (text: string) => text };

function makeClient(url: string, connectMs: number): pg.Client {
  try {
    return new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectMs,
      keepAlive: true,
      application_name: 'headrace',
    });
  } catch (error) {
    // Files that the URL names are read here: a certificate that isn't there is told as such.
    const isFile = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new DatabaseTrouble('refused', isFile ? messageOf(error) : UNREADABLE_URL);
  }
}
