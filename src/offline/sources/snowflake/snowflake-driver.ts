// Sources in Snowflake, by its own SDK, which whoever has such a source installs beside Headrace. One statement there sees
// one moment: the rows are those of one SELECT, streamed.

import type { DatabaseDriver, DatabaseSession, SessionOptions } from '../databases/database.ts';
import { DatabaseTrouble } from '../databases/database-trouble.ts';
import { unlessSilent } from '../databases/unless-silent.ts';
import { loadSdk, type SnowflakeColumn, type SnowflakeConnection, type SnowflakeStatement } from './load-sdk.ts';
import { troubleOf } from './snowflake-errors.ts';
import { columnOf, quoteSnowflakePart } from './snowflake-types.ts';
import { optionsOf } from './snowflake-url.ts';

export const snowflakeDriver: DatabaseDriver = {
  name: 'Snowflake',
  schemes: ['snowflake'],
  example: 'snowflake://USER:PASSWORD@ACCOUNT/DATABASE/SCHEMA?warehouse=WAREHOUSE&role=ROLE',
  quote: quoteSnowflakePart,
  open: openSnowflakeSession,
};

async function openSnowflakeSession(url: string, { silenceMs, importSdk }: SessionOptions): Promise<DatabaseSession> {
  const options = optionsOf(url);
  const sdk = await loadSdk(importSdk);
  const connection = sdk.createConnection(options);
  let heard = (): void => {};
  const giveUp = (): void => connection.destroy(() => {});
  const listening = {
    listen(listener: () => void) {
      heard = listener;
      return () => void (heard = () => {});
    },
    giveUp,
  };
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await unlessSilent(silenceMs, listening, work);
    } catch (error) {
      throw troubleOf(error);
    }
  };
  const each = (sql: string, onRow: (row: (string | null)[]) => void) =>
    run(() => eachRow(connection, sql, () => heard(), onRow));
  await run(() => connected(connection));
  return {
    async describe(from) {
      return (await each(`SELECT * FROM ${from} LIMIT 0`, () => {})).map(columnOf);
    },
    async read(sql, file) {
      await each(sql, (row) => file.add(row));
    },
    async tables() {
      const tables: string[] = [];
      const sql =
        'SELECT table_schema, table_name FROM information_schema.tables ' +
        "WHERE table_schema <> 'INFORMATION_SCHEMA' ORDER BY 1, 2 LIMIT 10000";
      await each(sql, (row) => tables.push(row.join('.')));
      return tables;
    },
    async close() {
      giveUp();
    },
  };
}

function connected(connection: SnowflakeConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error === undefined || error === null ? resolve() : reject(error)));
  });
}

// Numbers as their own text: as JavaScript's they would lose digits.
const AS_TEXT = ['Number', 'Date', 'Boolean', 'JSON', 'Buffer'] as const;

async function eachRow(
  connection: SnowflakeConnection,
  sqlText: string,
  heard: () => void,
  onRow: (row: (string | null)[]) => void,
): Promise<readonly SnowflakeColumn[]> {
  const statement = await new Promise<SnowflakeStatement>((resolve, reject) => {
    connection.execute({
      sqlText,
      streamResult: true,
      rowMode: 'array',
      fetchAsString: AS_TEXT,
      complete: (error, done) => (error === undefined || error === null ? resolve(done) : reject(error)),
    });
  });
  heard();
  const columns = statement.getColumns();
  // With `fetchAsString` the SDK writes null as the text NULL, of types that are no text.
  const saysNull = columns.map((column) => column.getType().toLowerCase() !== 'text');
  // Pulled, not pushed: a chunk is fetched when the one before it is written.
  for await (const row of statement.streamRows()) {
    heard();
    if (!Array.isArray(row)) throw new DatabaseTrouble('failed', 'its SDK gives rows that are no lists');
    onRow(row.map((value, i) => (value === null || (value === 'NULL' && saysNull[i] === true) ? null : String(value))));
  }
  return columns;
}
