// What MySQL's values become, and what is told when they can't be read: on a real MariaDB, which ends connections, stops and
// is slow.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DataType, type Field, parseTimestamp, type Value } from '../../src/core/index.ts';
import { findMysql, type MysqlServer, startMysql } from '../support/mysql-server.ts';
import { DAY_COLUMNS, expectDaysOfRanges } from '../support/days-of-a-year.ts';
import { type OfflineWorld, openOfflineWorld, TYPES } from '../support/offline-world.ts';
import { type Asked, readSource } from '../support/read-source.ts';
import { skipBecause } from '../support/skips.ts';
import { fullIt, runs } from '../support/tier.ts';

const isHere = findMysql() !== undefined;
if (!isHere) skipBecause('what MySQL’s values become: no mariadbd found (Debian: mariadb-server)');

const list = (of: DataType): DataType => ({ kind: 'list', of });
const { bool, int32, int64, float32, float64, string, bytes, timestamp } = TYPES;
const at = (text: string): number => parseTimestamp(text) as number;

/** A column's type, a value of it in SQL, what it is declared as, what it becomes. */
const BECOME: readonly (readonly [column: string, sql: string, type: DataType, value: Value])[] = [
  ['tinyint(1)', '1', bool, true],
  ['tinyint(1)', '0', bool, false],
  ['tinyint(1)', '7', int32, 7],
  ['bit(1)', "b'1'", bool, true],
  ['bit(64)', "b'101'", int64, 5n],
  ['smallint unsigned', '65535', int32, 65535],
  ['int unsigned', '4294967295', int64, 4294967295n],
  ['bigint', '-9223372036854775808', int64, -(2n ** 63n)],
  ['bigint unsigned', '9223372036854775807', int64, 2n ** 63n - 1n],
  ['year', '2024', int32, 2024],
  ['decimal(20,3)', '9007199254740993.000', int64, 9007199254740993n],
  ['decimal(20,3)', '-0.125', float64, -0.125],
  // A FLOAT's text would be 1.67772e7.
  ['float', '16777215', float32, 16777215],
  ['float', '0.1', float64, Math.fround(0.1)],
  ['double', '0.1', float64, 0.1],
  ['double', '1.7976931348623157e308', float64, Number.MAX_VALUE],
  ['double', '2.2250738585072014e-308', float64, 2.2250738585072014e-308],
  ['varchar(20)', "''", string, ''],
  ['varchar(20)', "'\\\\N'", string, '\\N'],
  ['text', "'a\\tb\\nc\\0d\\r\\\\'", string, 'a\tb\nc\0d\r\\'],
  ['varchar(20) character set latin1', "'é'", string, 'é'],
  ['varchar(20) character set utf8mb4', "'🦊'", string, '🦊'],
  ["enum('a','b')", "'b'", string, 'b'],
  ["set('a','b')", "'a,b'", string, 'a,b'],
  ['json', `'{"n": 9007199254740993}'`, string, '{"n": 9007199254740993}'],
  ['json', "'[1, null, 9007199254740993]'", list(int64), [1n, null, 9007199254740993n]],
  ['json', "'[0.5, -1.25]'", { kind: 'vector', size: 2 }, Float32Array.of(0.5, -1.25)],
  ['varbinary(9)', "x'00ff5c27'", bytes, Uint8Array.of(0, 255, 92, 39)],
  ['blob', "''", bytes, Uint8Array.of()],
  ['datetime(6)', "'2024-03-10 02:30:00.123456'", timestamp, at('2024-03-10T02:30:00.123456Z')],
  ['datetime', "'2024-03-10 02:30:00'", timestamp, at('2024-03-10T02:30:00Z')],
  // The session that writes stands at +05:45.
  ['timestamp(6) null', "'2024-03-10 02:30:00.5'", timestamp, at('2024-03-09T20:45:00.5Z')],
  ['date', "'1969-12-31'", timestamp, at('1969-12-31T00:00:00Z')],
  ['datetime', 'NULL', timestamp, null],
];

/** The same, and what is said. */
const REFUSED: readonly (readonly [column: string, sql: string, type: DataType, told: RegExp])[] = [
  [
    'bigint unsigned',
    '18446744073709551615',
    int64,
    /column "v" \(bigint unsigned\) holds 18446744073709551615, and was declared int64/,
  ],
  ['bigint', '9007199254740993', float64, /holds 9007199254740993.*too many digits/],
  ['tinyint(1)', '2', bool, /column "v" \(tinyint\(1\)\) holds 2, and was declared bool: it is neither true nor false/],
  [
    'datetime',
    "'0000-00-00 00:00:00'",
    timestamp,
    /holds 0000-00-00 00:00:00, and was declared timestamp: it is no moment/,
  ],
  ['date', "'2024-02-00'", timestamp, /holds 2024-02-00/],
  ['decimal(5,1)', '12.5', int64, /holds 12\.5.*it has a fraction/],
  ['time', "'12:00'", timestamp, /column "v" is time, and was declared timestamp\. Give it another type/],
  ['blob', "'x'", string, /column "v" is blob, and was declared string\. Declare it t\.bytes\(\)/],
  ['varchar(3)', "'x'", bytes, /column "v" is varchar, and was declared bytes/],
  ['int', '1', string, /column "v" is int, and was declared string/],
];

describe.runIf(isHere)('a source in MySQL (MariaDB)', () => {
  let server: MysqlServer;
  let admin: Connection;
  let world: OfflineWorld;
  const warned: object[] = [];
  beforeAll(async () => {
    server = await startMysql();
    admin = await server.connect();
    await admin.query("SET sql_mode = ''");
    world = await openOfflineWorld(warned);
  }, 90_000);
  afterAll(async () => {
    admin?.destroy();
    await world?.close();
    await server?.stop();
  });

  const ask = (
    columns: readonly Field[],
    location: Readonly<Record<string, string>>,
    more: Partial<Asked> = {},
  ): Asked => ({
    kind: 'mysql',
    columns,
    location: { connection: 'env:ORDERS_URL', ...location },
    ...through(server.url, 20_000),
    ...more,
  });
  const through = (address: string, silenceMs = 20_000): Pick<Asked, 'remote'> => ({
    remote: { variable: () => address, databases: { backoffMs: 1, silenceMs } },
  });
  const read = (asked: Asked) => readSource(world, asked);
  const failed = (asked: Asked) =>
    read(asked).then(
      () => expect.fail('it was read'),
      (error: Error & { readonly code: string }) => error,
    );
  const value = (type: DataType): Field[] => [{ name: 'v', type }];
  const put = (column: string, sql: string) =>
    admin.query(`DROP TABLE IF EXISTS one; CREATE TABLE one (v ${column}); INSERT INTO one VALUES (${sql})`);

  it('reads each value as what its column is declared', async () => {
    const named = BECOME.map(([column, sql, type, expected], i) => ({ name: `v${i}`, column, sql, type, expected }));
    const made = named.map(({ name, column }) => `${name} ${column}`);
    await admin.query(`CREATE TABLE every (${made.join(', ')})`);
    await admin.query(`INSERT INTO every VALUES (${named.map(({ sql }) => sql).join(', ')})`);
    const [row = {}] = await read(ask(named, { table: 'every' }));
    for (const { name, column, sql, expected } of named) expect(row[name], `${column} ${sql}`).toStrictEqual(expected);
  });

  it.each(['datetime(6)', 'timestamp(6) NULL', 'date'])(
    'asks for the rows of the event times that are wanted: %s',
    async (type) => {
      await admin.query(`DROP TABLE IF EXISTS year; CREATE TABLE year (n int, at ${type}); SET time_zone = '+00:00'`);
      const day = "'2025-01-01' + INTERVAL seq - 1 DAY";
      await admin.query(`INSERT INTO year SELECT seq, ${day} FROM seq_1_to_365; INSERT INTO year VALUES (-1, NULL)`);
      await expectDaysOfRanges((range) => read(ask(DAY_COLUMNS, { table: 'year' }, { range })));
    },
  );

  it.each(REFUSED)('refuses a %s of %s declared %j', async (column, sql, type, told) => {
    await put(column, sql);
    const error = await failed(ask(value(type), { table: 'shop.one' }));
    expect(error).toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
    expect(error.message).toMatch(/^source "orders": column "v"/);
    expect(error.message).toMatch(told);
  });

  it('gives every text, number and time back as it was put there', { timeout: 60_000 }, async () => {
    await admin.query('CREATE TABLE anything (n int, s text, f double, g float, i bigint)');
    const row = fc.record(
      {
        s: fc.option(fc.string({ unit: 'binary' })),
        // Neither infinities nor a NaN can be there; nor a float's negative zero as it was.
        f: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0)),
        g: fc.option(fc.float({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0)),
        i: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      },
      { noNullPrototype: true },
    );
    const columns = Object.entries({ s: string, f: float64, g: float32, i: int64 }).map(([name, type]) => ({
      name,
      type,
    }));
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 30 }), async (rows) => {
        await admin.query('TRUNCATE anything');
        for (const [n, { s, f, g, i }] of rows.entries())
          await admin.execute('INSERT INTO anything VALUES (?, ?, ?, ?, ?)', [
            n,
            s,
            f,
            g,
            i === null ? null : String(i),
          ]);
        expect(await read(ask(columns, { query: 'SELECT s, f, g, i FROM anything ORDER BY n' }))).toStrictEqual(rows);
      }),
      { numRuns: runs(15) },
    );
  });

  it('sees one moment, whatever is written meanwhile', async () => {
    await admin.query(
      'DROP TABLE IF EXISTS moving; CREATE TABLE moving (v int) ENGINE = InnoDB; INSERT INTO moving VALUES (1)',
    );
    const reading = read(
      ask(value(int32), { query: 'SELECT v FROM moving WHERE SLEEP(0.3) = 0 UNION ALL SELECT v FROM moving' }),
    );
    const writing = setInterval(() => void admin.query('INSERT INTO moving VALUES (2)').catch(() => {}), 20);
    const rows = await reading.finally(() => clearInterval(writing));
    expect(rows.length % 2).toBe(0);
    expect(rows.slice(0, rows.length / 2)).toEqual(rows.slice(rows.length / 2));
  });

  it('names the nearest table and the nearest column of what is missing', async () => {
    await admin.query('CREATE TABLE customers (customer_id bigint, `Na``me` text)');
    const id = (name: string): Field[] => [{ name, type: int64 }];
    const table = await failed(ask(id('customer_id'), { table: 'custmers' }));
    expect(table).toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
    expect(table.message).toMatch(/Table 'shop\.custmers' doesn't exist\. Did you mean "customers"\?/);
    const column = await failed(ask(id('custmer_id'), { table: 'customers' }));
    expect(column.message).toMatch(
      /has no column "custmer_id"\. Did you mean "customer_id"\? It has: customer_id, Na`me\./,
    );
  });

  it('shows no password, of a login that is refused or a host that is not there', async () => {
    const wrong = new URL(server.url);
    wrong.password = 'hunter2';
    const refused = await failed(ask(value(int32), { query: 'SELECT 1 AS v' }, through(wrong.href)));
    expect(refused).toMatchObject({ code: 'HR_CONFIG' });
    expect(refused.message).toMatch(
      /MySQL at mysql:\/\/127\.0\.0\.1:\d+\/shop refuses us: Access denied for user 'headrace'/,
    );
    const unknown = await failed(
      ask(value(int32), { query: 'SELECT 1 AS v' }, through(`${wrong.href}?passwrd=hunter2`)),
    );
    expect(unknown).toMatchObject({ code: 'HR_CONFIG' });
    expect(unknown.message).toMatch(/no parameter "passwrd"/);
    const gone = await failed(
      ask(value(int32), { query: 'SELECT 1 AS v' }, through('mysql://me:hunter2@127.0.0.1:1/db')),
    );
    expect(gone).toMatchObject({ code: 'HR_SOURCE_UNAVAILABLE' });
    expect(gone.message).toMatch(/4 attempts.*ECONNREFUSED/);
    const errors = [refused, unknown, gone].map((error) => [error.message, error.stack, error.cause]);
    expect(JSON.stringify([errors, warned])).not.toMatch(/hunter2/);
  });

  it('speaks TLS to whom its certificate proves, and to nobody else', async () => {
    const query =
      "SELECT VARIABLE_VALUE AS v FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'";
    const by = (parameters: string) => ask(value(string), { query }, through(`${server.url}?${parameters}`));
    const cipher = async (parameters: string) => (await read(by(parameters)))[0]?.['v'];
    expect(await cipher('sslmode=disable')).toBe('');
    expect(await cipher(`sslrootcert=${server.certificate}`)).toMatch(/^TLS/);
    expect(await cipher('sslmode=no-verify')).toMatch(/^TLS/);
    for (const parameters of ['sslmode=verify-full', 'sslmode=require', 'sslmode=prefer', 'sslrootcert=/not/there']) {
      const error = await failed(by(parameters));
      expect(error, parameters).toMatchObject({ code: 'HR_CONFIG' });
    }
  });

  // twin: test/unit/offline-databases.test.ts > that is lost begins again from the start
  fullIt(
    'reads again from the start when the connection is killed, and says so when it always is',
    {
      timeout: 30_000,
    },
    async () => {
      await admin.query(
        "CREATE TABLE filled (v int, pad text); INSERT INTO filled SELECT seq, REPEAT('x', 500) FROM seq_1_to_20000",
      );
      const columns: Field[] = [...value(int32), { name: 'pad', type: string }];
      let kills = 0;
      const kill = async () => {
        const [found] = await admin.query<never[]>(
          "SELECT id FROM information_schema.processlist WHERE info LIKE '%AS t0%filled%' AND id <> CONNECTION_ID()",
        );
        for (const { id } of found as { id: number }[]) {
          kills++;
          await admin.query(`KILL ${id}`).catch(() => {});
        }
      };
      // Long enough to be met in the middle.
      const lasting = (seconds: number) =>
        `SELECT v, pad FROM filled WHERE v % 10000 <> 0 OR SLEEP(${seconds / 2}) = 0`;
      const once = setInterval(() => void (kills === 0 && kill().catch(() => {})), 20);
      const rows = await read(ask(columns, { query: lasting(1) })).finally(() => clearInterval(once));
      expect(kills).toBeGreaterThanOrEqual(1);
      expect(new Set(rows.map(({ v }) => v)).size).toBe(20_000);
      expect(rows.length).toBe(20_000);
      const always = setInterval(() => void kill().catch(() => {}), 20);
      const error = await failed(ask(columns, { query: lasting(10) })).finally(() => clearInterval(always));
      expect(error).toMatchObject({ code: 'HR_SOURCE_UNAVAILABLE' });
      expect(error.message).toMatch(/ends the connection; 4 attempts/);
      expect(
        readdirSync(join(world.directory, 'landed', 'orders')).filter((name) => name.startsWith('unfinished')),
      ).toEqual([]);
    },
  );

  it('says what the server says of a statement that it cancelled', async () => {
    await admin.query('SET GLOBAL max_statement_time = 0.2');
    try {
      const error = await failed(
        ask(value(int32), {
          query: 'SELECT 1 AS v FROM seq_1_to_20000 a, seq_1_to_20000 b WHERE a.seq + b.seq < 0 UNION ALL SELECT 1',
        }),
      );
      expect(error).toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
      expect(error.message).toMatch(/can’t give its rows: .*max_statement_time exceeded/);
    } finally {
      await admin.query('SET GLOBAL max_statement_time = 0');
    }
  });

  it('gives up a server that stands still', { timeout: 30_000 }, async () => {
    process.kill(server.pid, 'SIGSTOP');
    try {
      const error = await failed(ask(value(int32), { query: 'SELECT 1 AS v' }, through(server.url, 300)));
      expect(error).toMatchObject({ code: 'HR_SOURCE_UNAVAILABLE' });
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    const slow = await failed(ask(value(int32), { query: 'SELECT SLEEP(5) AS v' }, through(server.url, 300)));
    expect(slow).toMatchObject({ code: 'HR_SOURCE_UNAVAILABLE' });
    expect(slow.message).toMatch(/said nothing for 0\.3 s/);
  });

  it('leaves no connection behind, and none that the server counts as aborted', async () => {
    const counted = async () => {
      const [rows] = await admin.query<never[]>(
        "SELECT VARIABLE_VALUE AS n FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'Aborted_clients'",
      );
      return (rows as { n: string }[])[0]?.n;
    };
    const before = await counted();
    await read(ask(value(int32), { query: 'SELECT 1 AS v' }));
    expect(await counted()).toBe(before);
    const [rows] = await admin.query<never[]>(
      "SELECT id FROM information_schema.processlist WHERE info LIKE '%AS t0%' AND id <> CONNECTION_ID()",
    );
    expect(rows).toEqual([]);
  });

  // twin: test/unit/offline-databases.test.ts > that is lost begins again from the start
  fullIt('says so when the server is killed in the middle, and does not come back', { timeout: 30_000 }, async () => {
    const reading = failed(ask(value(int32), { query: 'SELECT seq AS v FROM seq_1_to_10 WHERE SLEEP(1) = 0' }));
    await expect
      .poll(
        async () => {
          const [rows] = await admin.query<never[]>(
            "SELECT id FROM information_schema.processlist WHERE info LIKE '%AS t0%SLEEP(1)%'",
          );
          return rows.length;
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(1);
    admin.destroy();
    process.kill(server.pid, 'SIGKILL');
    const error = await reading;
    expect(error).toMatchObject({ code: 'HR_SOURCE_UNAVAILABLE' });
    expect(error.message).toMatch(/can’t be reached, or ends the connection; 4 attempts/);
  });
});
