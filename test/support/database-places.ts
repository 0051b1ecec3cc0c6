// Sources in databases, each on its real server.

import type { Connection } from 'mysql2/promise';
import pg from 'pg';
import { type DataType, type Field, formatTimestamp, type Row, type Value } from '../../src/core/index.ts';
import { findMysql, type MysqlServer, startMysql } from './mysql-server.ts';
import { findPostgres, type PostgresServer, startPostgres } from './postgres-server.ts';
import { skipBecause } from './skips.ts';
import { hasSnowflake, type SnowflakeServer, startSnowflake } from './snowflake-server.ts';
import type { SourcePlace } from './source-places.ts';

/** How one database writes types and values in SQL. */
interface Dialect {
  quote(name: string): string;
  readonly types: Readonly<Partial<Record<DataType['kind'], string>>>;
  text(text: string): string;
  bytes(hex: string): string;
  /** Of micros. */
  timestamp(text: string): string;
}

const KINDS = ['bool', 'int32', 'int64', 'float32', 'float64', 'string', 'bytes', 'timestamp'] as const;
/** The words of KINDS, in their order. */
const typesOf = (words: string): Dialect['types'] =>
  Object.fromEntries(words.split('|').map((word, at) => [KINDS[at], word]));

const POSTGRES: Dialect = {
  quote: (name) => `"${name}"`,
  types: typesOf('boolean|int4|int8|float4|float8|text|bytea|timestamptz'),
  text: (text) => `'${text.replaceAll("'", "''")}'`,
  bytes: (hex) => `'\\x${hex}'`,
  timestamp: (text) => `'${text}'`,
};

/** Statements that put rows into a new table. */
export function tableOf(dialect: Dialect, table: string, columns: readonly Field[], rows: readonly Row[]): string[] {
  const types = columns.map(({ name, type }) => `${dialect.quote(name)} ${dialect.types[type.kind] ?? type.kind}`);
  const values = rows.map(
    (row) => `(${columns.map(({ name, type }) => literal(dialect, type, row[name] ?? null)).join(', ')})`,
  );
  return [
    `DROP TABLE IF EXISTS ${dialect.quote(table)}`,
    `CREATE TABLE ${dialect.quote(table)} (${types.join(', ')})`,
    ...(rows.length === 0 ? [] : [`INSERT INTO ${dialect.quote(table)} VALUES ${values.join(', ')}`]),
  ];
}

function literal(dialect: Dialect, type: DataType, value: Value): string {
  if (value === null) return 'NULL';
  switch (type.kind) {
    case 'string':
      return dialect.text(value as string);
    case 'bytes':
      return dialect.bytes(Buffer.from(value as Uint8Array).toString('hex'));
    case 'timestamp':
      return dialect.timestamp(formatTimestamp(value as number));
    case 'float32':
    case 'float64':
      return Number.isFinite(value) ? String(value) : `'${String(value)}'`;
    default:
      return String(value);
  }
}

const MYSQL: Dialect = {
  quote: (name) => `\`${name}\``,
  types: typesOf('boolean|int|bigint|float|double|text CHARACTER SET utf8mb4|blob|datetime(6)'),
  text: (text) => `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`,
  bytes: (hex) => `x'${hex}'`,
  timestamp: (text) => `'${text.replace('T', ' ').replace('Z', '')}'`,
};

const SNOWFLAKE: Dialect = {
  quote: (name) => `"${name}"`,
  types: typesOf('boolean|number(38,0)|number(38,0)|float|float|varchar|binary|timestamp_ntz'),
  text: (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
  bytes: (hex) => `to_binary('${hex}', 'HEX')`,
  timestamp: (text) => `'${text.replace('T', ' ').replace('Z', '')}'`,
};

let tables = 0;
const remoteAt = (url: string | undefined, more: object = {}) => ({
  variable: (asked: string) => (asked === 'EVENTS_URL' ? url : undefined),
  databases: { backoffMs: 10, ...more },
});

export function postgresPlaces(): SourcePlace[] {
  if (findPostgres() === undefined) {
    skipBecause('sources in Postgres: no initdb and postgres found (Debian: postgresql)');
    return [];
  }
  const place = (name: string, scheme: string): SourcePlace => {
    let server: PostgresServer | undefined;
    let url = '';
    let client: pg.Client | undefined;
    return {
      name,
      keepsRows: true,
      isInspected: true,
      async start() {
        server = await startPostgres();
        url = await server.newDatabase();
        client = new pg.Client({ connectionString: url });
        await client.connect();
        // What a server may have set must not come to show in values.
        await client.query(
          `ALTER DATABASE ${client.database} SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE ${client.database} SET DateStyle = 'German'`,
        );
      },
      async open() {
        const table = `events_${++tables}`;
        return {
          located: { kind: 'postgres', location: { connection: 'env:EVENTS_URL', table: `public.${table}` } },
          remote: remoteAt(url.replace('postgres:', `${scheme}:`)),
          put: async (columns, rows) => void (await client?.query(tableOf(POSTGRES, table, columns, rows).join('; '))),
        };
      },
      async stop() {
        await client?.end();
        await server?.stop();
      },
    };
  };
  return [place('Postgres', 'postgres'), place('Postgres by rows, as Redshift gives them', 'redshift')];
}

export function mysqlPlaces(): SourcePlace[] {
  if (findMysql() === undefined) {
    skipBecause('sources in MySQL: no mariadbd found (Debian: mariadb-server)');
    return [];
  }
  let server: MysqlServer | undefined;
  let client: Connection | undefined;
  const mysql: SourcePlace = {
    name: 'MySQL (MariaDB)',
    keepsRows: true,
    isInspected: true,
    lacks: 'infinity',
    async start() {
      server = await startMysql();
      client = await server.connect();
    },
    async open() {
      const table = `events_${++tables}`;
      return {
        located: { kind: 'mysql', location: { connection: 'env:EVENTS_URL', table: `shop.${table}` } },
        remote: remoteAt(server?.url),
        put: async (columns, rows) => void (await client?.query(tableOf(MYSQL, table, columns, rows).join('; '))),
      };
    },
    async stop() {
      await client?.end();
      await server?.stop();
    },
  };
  return [mysql];
}

export function snowflakePlaces(): SourcePlace[] {
  if (!hasSnowflake()) {
    skipBecause('sources in Snowflake: fakesnow and its SDK are not here (npm run test:heavy brings them)');
    return [];
  }
  let server: SnowflakeServer | undefined;
  const snowflake: SourcePlace = {
    name: 'Snowflake (fakesnow)',
    keepsRows: true,
    lacks: 'infinity',
    async start() {
      server = await startSnowflake();
    },
    async open() {
      const started = server;
      if (started === undefined) throw new Error('start first');
      const table = `events_${++tables}`;
      return {
        located: { kind: 'snowflake', location: { connection: 'env:EVENTS_URL', table } },
        remote: remoteAt(started.url, { importSdk: started.importSdk }),
        // fakesnow's answer to an INSERT is one that the SDK can't take.
        put: (columns, rows) => started.run([madeOf(SNOWFLAKE, table, columns, rows)]),
      };
    },
    stop: async () => server?.stop(),
  };
  return [snowflake];
}

/** A table made of its rows. */
function madeOf(dialect: Dialect, table: string, columns: readonly Field[], rows: readonly Row[]): string {
  const select = (row: Row): string =>
    `SELECT ${columns
      .map(
        ({ name, type }) =>
          `CAST(${literal(dialect, type, row[name] ?? null)} AS ${dialect.types[type.kind]}) AS ${dialect.quote(name)}`,
      )
      .join(', ')}`;
  const selects = rows.length === 0 ? `${select({})} WHERE 1 = 0` : rows.map(select).join(' UNION ALL ');
  return `CREATE OR REPLACE TABLE ${table} AS ${selects}`;
}
