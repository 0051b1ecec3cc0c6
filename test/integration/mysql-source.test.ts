// What MySQL's values become, and what is told when they can't be read: on a real MariaDB, which ends connections, stops and
// is slow.

import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type DataType, type Field, parseTimestamp, type Value } from '../../src/core/index.ts';
import { findMysql, type MysqlServer, startMysql } from '../support/mysql-server.ts';
import { databaseReader, through, valueOf } from '../support/database-source.ts';
import { DAY_COLUMNS, expectDaysOfRanges } from '../support/days-of-a-year.ts';
import { fields, TYPES, worldOfAll } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';
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
  const warned: object[] = [];
  const world = worldOfAll(warned);
  beforeAll(async () => {
    server = await startMysql();
    admin = await server.connect();
    await admin.query("SET sql_mode = ''");
  }, 90_000);
  afterAll(async () => {
    admin?.destroy();
    await server?.stop();
  });

  const { table, query } = databaseReader(world, 'mysql', () => server.url);
  const one = (address: string, silenceMs?: number, sql = '1') =>
    query(valueOf(int32), `SELECT ${sql} AS v`, through(address, silenceMs));
  const id = (name: string): Field[] => [{ name, type: int64 }];
  /** What the server tells of itself. */
  const told = async <T>(sql: string): Promise<T[]> => (await admin.query<never[]>(sql))[0] as T[];

  it('reads each value as what its column is declared', async () => {
    const named = BECOME.map(([column, sql, type, expected], i) => ({ name: `v${i}`, column, sql, type, expected }));
    await admin.query(`CREATE TABLE every (${named.map(({ name, column }) => `${name} ${column}`).join(', ')})`);
    await admin.query(`INSERT INTO every VALUES (${named.map(({ sql }) => sql).join(', ')})`);
    const [row = {}] = await table(named, 'every');
    for (const { name, column, sql, expected } of named) expect(row[name], `${column} ${sql}`).toStrictEqual(expected);
  });

  it.each(['datetime(6)', 'timestamp(6) NULL', 'date'])(
    'asks for the rows of the event times that are wanted: %s',
    async (type) => {
      await admin.query(`DROP TABLE IF EXISTS year; CREATE TABLE year (n int, at ${type}); SET time_zone = '+00:00'`);
      const day = "'2025-01-01' + INTERVAL seq - 1 DAY";
      await admin.query(`INSERT INTO year SELECT seq, ${day} FROM seq_1_to_365; INSERT INTO year VALUES (-1, NULL)`);
      await expectDaysOfRanges((range) => table(DAY_COLUMNS, 'year', { range }));
    },
  );

  it.each(REFUSED)('refuses a %s of %s declared %j', async (column, sql, type, message) => {
    await admin.query(`DROP TABLE IF EXISTS one; CREATE TABLE one (v ${column}); INSERT INTO one VALUES (${sql})`);
    const reading = table(valueOf(type), 'shop.one');
    await refused(reading, 'HR_SOURCE_UNREADABLE', /^source "orders": column "v"/, message);
  });

  it('gives every text, number and time back as it was put there', { timeout: 60_000 }, async () => {
    await admin.query('CREATE TABLE anything (n int, s text, f double, g float, i bigint)');
    // Neither infinities nor a NaN can be there; nor a float's negative zero as it was.
    const finite = { noNaN: true, noDefaultInfinity: true };
    const row = fc.record(
      {
        s: fc.option(fc.string({ unit: 'binary' })),
        f: fc.option(fc.double(finite).map((number) => number + 0)),
        g: fc.option(fc.float(finite).map((number) => number + 0)),
        i: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      },
      { noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 30 }), async (rows) => {
        await admin.query('TRUNCATE anything');
        for (const [n, { s, f, g, i }] of rows.entries()) {
          const values = [n, s, f, g, i === null ? null : String(i)];
          await admin.execute('INSERT INTO anything VALUES (?, ?, ?, ?, ?)', values);
        }
        const columns = fields({ s: string, f: float64, g: float32, i: int64 });
        expect(await query(columns, 'SELECT s, f, g, i FROM anything ORDER BY n')).toStrictEqual(rows);
      }),
      { numRuns: runs(15) },
    );
  });

  it('sees one moment, whatever is written meanwhile', async () => {
    await admin.query(
      'DROP TABLE IF EXISTS moving; CREATE TABLE moving (v int) ENGINE = InnoDB; INSERT INTO moving VALUES (1)',
    );
    const twice = 'SELECT v FROM moving WHERE SLEEP(0.3) = 0 UNION ALL SELECT v FROM moving';
    const reading = query(valueOf(int32), twice);
    const writing = setInterval(() => void admin.query('INSERT INTO moving VALUES (2)').catch(() => {}), 20);
    const rows = await reading.finally(() => clearInterval(writing));
    expect(rows.length % 2).toBe(0);
    expect(rows.slice(0, rows.length / 2)).toEqual(rows.slice(rows.length / 2));
  });

  it('names the nearest table and the nearest column of what is missing', async () => {
    await admin.query('CREATE TABLE customers (customer_id bigint, `Na``me` text)');
    const missing = /Table 'shop\.custmers' doesn't exist\. Did you mean "customers"\?/;
    await refused(table(id('customer_id'), 'custmers'), 'HR_SOURCE_UNREADABLE', missing);
    const column = /has no column "custmer_id"\. Did you mean "customer_id"\? It has: customer_id, Na`me\./;
    await refused(table(id('custmer_id'), 'customers'), 'HR_SOURCE_UNREADABLE', column);
  });

  it('shows no password, of a login that is refused or a host that is not there', async () => {
    const wrong = new URL(server.url);
    wrong.password = 'hunter2';
    const denied = /MySQL at mysql:\/\/127\.0\.0\.1:\d+\/shop refuses us: Access denied for user 'headrace'/;
    const errors = [
      await refused(one(wrong.href), 'HR_CONFIG', denied),
      await refused(one(`${wrong.href}?passwrd=hunter2`), 'HR_CONFIG', /no parameter "passwrd"/),
      await refused(one('mysql://me:hunter2@127.0.0.1:1/db'), 'HR_SOURCE_UNAVAILABLE', /4 attempts.*ECONNREFUSED/),
    ];
    const all = errors.map((error) => [error.message, error.stack, error.cause]);
    expect(JSON.stringify([all, warned])).not.toMatch(/hunter2/);
  });

  it('speaks TLS to whom its certificate proves, and to nobody else', async () => {
    const of = "SELECT VARIABLE_VALUE AS v FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'";
    const by = (parameters: string) => query(valueOf(string), of, through(`${server.url}?${parameters}`));
    const cipher = async (parameters: string) => (await by(parameters))[0]?.['v'];
    expect(await cipher('sslmode=disable')).toBe('');
    expect(await cipher(`sslrootcert=${server.certificate}`)).toMatch(/^TLS/);
    expect(await cipher('sslmode=no-verify')).toMatch(/^TLS/);
    for (const parameters of ['sslmode=verify-full', 'sslmode=require', 'sslmode=prefer', 'sslrootcert=/not/there'])
      await refused(by(parameters), 'HR_CONFIG');
  });

  // twin: test/unit/offline-databases.test.ts > that is lost begins again from the start, three times
  fullIt('reads again when the connection is killed, and says so when it always is', { timeout: 30_000 }, async () => {
    await admin.query(
      "CREATE TABLE filled (v int, pad text); INSERT INTO filled SELECT seq, REPEAT('x', 500) FROM seq_1_to_20000",
    );
    let kills = 0;
    const kill = async () => {
      const readers = "info LIKE '%AS t0%filled%' AND id <> CONNECTION_ID()";
      for (const found of await told<{ id: number }>(
        `SELECT id FROM information_schema.processlist WHERE ${readers}`,
      )) {
        kills++;
        await admin.query(`KILL ${found.id}`).catch(() => {});
      }
    };
    // Long enough to be met in the middle.
    const lasting = (seconds: number, mayKill: () => boolean) => {
      const killing = setInterval(() => void (mayKill() && kill().catch(() => {})), 20);
      const rows = `SELECT v, pad FROM filled WHERE v % 10000 <> 0 OR SLEEP(${seconds / 2}) = 0`;
      return query(fields({ v: int32, pad: string }), rows).finally(() => clearInterval(killing));
    };
    const rows = await lasting(1, () => kills === 0);
    expect(kills).toBeGreaterThanOrEqual(1);
    expect(new Set(rows.map(({ v }) => v)).size).toBe(20_000);
    expect(rows.length).toBe(20_000);
    await refused(
      lasting(10, () => true),
      'HR_SOURCE_UNAVAILABLE',
      /ends the connection; 4 attempts/,
    );
    const kept = readdirSync(world.path('landed/orders'));
    expect(kept.filter((name) => name.startsWith('unfinished'))).toEqual([]);
  });

  it('says what the server says of a statement that it cancelled', async () => {
    await admin.query('SET GLOBAL max_statement_time = 0.2');
    onTestFinished(async () => void (await admin.query('SET GLOBAL max_statement_time = 0')));
    const long = 'SELECT 1 AS v FROM seq_1_to_20000 a, seq_1_to_20000 b WHERE a.seq + b.seq < 0 UNION ALL SELECT 1';
    const exceeded = /can’t give its rows: .*max_statement_time exceeded/;
    await refused(query(valueOf(int32), long), 'HR_SOURCE_UNREADABLE', exceeded);
  });

  it('gives up a server that stands still', { timeout: 30_000 }, async () => {
    process.kill(server.pid, 'SIGSTOP');
    try {
      await refused(one(server.url, 300), 'HR_SOURCE_UNAVAILABLE');
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    await refused(one(server.url, 300, 'SLEEP(5)'), 'HR_SOURCE_UNAVAILABLE', /said nothing for 0\.3 s/);
  });

  it('leaves no connection behind, and none that the server counts as aborted', async () => {
    const counted = () =>
      told("SELECT VARIABLE_VALUE AS n FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'Aborted_clients'");
    const before = await counted();
    await one(server.url);
    expect(await counted()).toEqual(before);
    const reading = "SELECT id FROM information_schema.processlist WHERE info LIKE '%AS t0%' AND id <> CONNECTION_ID()";
    expect(await told(reading)).toEqual([]);
  });

  // twin: test/unit/offline-databases.test.ts > that is lost begins again from the start, three times
  fullIt('says so when the server is killed in the middle, and does not come back', { timeout: 30_000 }, async () => {
    const reading = query(valueOf(int32), 'SELECT seq AS v FROM seq_1_to_10 WHERE SLEEP(1) = 0');
    const ended = refused(reading, 'HR_SOURCE_UNAVAILABLE', /can’t be reached, or ends the connection; 4 attempts/);
    const readers = "SELECT id FROM information_schema.processlist WHERE info LIKE '%AS t0%SLEEP(1)%'";
    await expect.poll(async () => (await told(readers)).length, { timeout: 10_000 }).toBeGreaterThan(1);
    admin.destroy();
    process.kill(server.pid, 'SIGKILL');
    await ended;
  });
});
