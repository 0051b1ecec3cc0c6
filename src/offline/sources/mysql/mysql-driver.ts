// Sources in MySQL and MariaDB, by mysql2: rows of one consistent snapshot, as texts.

import type { Socket } from 'node:net';
import { type Connection, createConnection, type QueryOptions } from 'mysql2';
import { within } from '../../../core/index.ts';
import type { DatabaseDriver, DatabaseSession, SessionOptions } from '../databases/database.ts';
import type { RowFile } from '../databases/row-file.ts';
import { type Listening, unlessSilent } from '../databases/unless-silent.ts';
import { troubleOf } from './mysql-errors.ts';
import { columnOf, type MysqlField, quoteMysqlName } from './mysql-types.ts';
import { optionsOf } from './mysql-url.ts';

const CONNECT_LIMIT_MS = 15_000;
const GOODBYE_LIMIT_MS = 1000;

const noop = (): void => {};

export const mysqlDriver: DatabaseDriver = {
  name: 'MySQL',
  schemes: ['mysql', 'mariadb'],
  example: 'mysql://USER:PASSWORD@HOST:3306/DATABASE?sslmode=verify-full',
  quote: ({ name }) => quoteMysqlName(name),
  open: openMysqlSession,
};

// A TIMESTAMP is shown in the session's zone, and a snapshot is one only at this level.
const BEGIN = [
  "SET time_zone = '+00:00'",
  'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
  'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
];

async function openMysqlSession(url: string, { silenceMs }: SessionOptions): Promise<DatabaseSession> {
  const connection = createConnection({ ...optionsOf(url), connectTimeout: Math.min(CONNECT_LIMIT_MS, silenceMs) });
  // What ends between two queries is met by the next one.
  connection.on('error', () => {});
  const listening: Listening = {
    listen(heard) {
      const { stream } = connection as unknown as { readonly stream: Socket };
      stream.on('data', heard);
      return () => void stream.off('data', heard);
    },
    giveUp: () => connection.destroy(),
  };
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await unlessSilent(silenceMs, listening, work);
    } catch (error) {
      throw troubleOf(error);
    }
  };
  const each = (sql: string, onRow: (row: (string | null)[]) => void) => run(() => eachRow(connection, sql, onRow));
  try {
    for (const sql of BEGIN) await each(sql, () => {});
  } catch (error) {
    listening.giveUp();
    throw error;
  }
  return {
    describe: async (from) => (await each(`SELECT * FROM ${from} LIMIT 0`, () => {})).map(columnOf),
    async read(sql: string, file: RowFile) {
      await each(sql, (row) => file.add(row));
    },
    async tables() {
      const tables: string[] = [];
      await each(
        'SELECT table_schema, table_name FROM information_schema.tables ' +
          "WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY 1, 2 LIMIT 10000",
        (row) => tables.push(row.join('.')),
      );
      return tables;
    },
    async close() {
      // It only read: there is nothing to commit. A server that is told goodbye counts no aborted connection.
      await within(promised((done) => connection.end(done)).catch(noop), GOODBYE_LIMIT_MS);
      listening.giveUp();
    },
  };
}

/** Calls `onRow` with every row as it comes: nothing is gathered, and the socket waits for it. Gives the columns. */
function eachRow(connection: Connection, sql: string, onRow: (row: (string | null)[]) => void): Promise<MysqlField[]> {
  return new Promise((resolve, reject) => {
    // Of a connection that ends, a query that gives its rows by events is not told.
    connection.once('error', reject);
    const options: QueryOptions = { sql, rowsAsArray: true, typeCast: (field) => field.string('utf8') };
    let columns: MysqlField[] = [];
    connection
      .query(options)
      .on('fields', (fields: unknown) => {
        // Of a statement without rows there are none.
        columns = (fields ?? []) as MysqlField[];
      })
      .on('result', (row: unknown) => {
        if (!Array.isArray(row)) return;
        try {
          onRow(row as (string | null)[]);
        } catch (error) {
          connection.destroy();
          reject(error);
        }
      })
      .on('error', reject)
      .on('end', () => {
        connection.off('error', reject);
        resolve(columns);
      });
  });
}

function promised(work: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) =>
    work((error) => (error === null || error === undefined ? resolve() : reject(error))),
  );
}
