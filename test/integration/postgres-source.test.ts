// What Postgres's values become, and what is told when they can't be read: on a real server, which ends connections, stops
// and is slow.

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type DataType, type Field, parseTimestamp, type Row, type Value } from '../../src/core/index.ts';
import { databaseReader, through, valueOf } from '../support/database-source.ts';
import { DAY_COLUMNS, expectDaysOfRanges } from '../support/days-of-a-year.ts';
import { fields, TYPES, worldOfAll } from '../support/offline-world.ts';
import { type Certificate, makeCertificate } from '../support/certificates.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { refused } from '../support/refused.ts';
import { skipBecause } from '../support/skips.ts';
import { openGate } from '../support/tcp-gate.ts';
import { fullIt, runs } from '../support/tier.ts';

const isHere = findPostgres() !== undefined;
if (!isHere) skipBecause('what Postgres’s values become: no initdb and postgres found (Debian: postgresql)');

const list = (of: DataType): DataType => ({ kind: 'list', of });
const { bool, int32, int64, float32, float64, string, bytes, timestamp } = TYPES;
const at = (text: string): number => parseTimestamp(text) as number;

/** A SQL value, what it is declared as, what it becomes. */
const BECOME: readonly (readonly [sql: string, type: DataType, value: Value])[] = [
  ['true', bool, true],
  ['NULL::boolean', bool, null],
  ['32767::int2', int32, 32767],
  ['9223372036854775807::int8', int64, 9223372036854775807n],
  ['(-9223372036854775808)::int8', int64, -(2n ** 63n)],
  ['9007199254740993::numeric', int64, 9007199254740993n],
  ['12.000::numeric(10,3)', int32, 12],
  ['12.5::numeric', float64, 12.5],
  ['7::int8', float64, 7],
  ["'NaN'::numeric", float64, NaN],
  ['0.1::float4', float64, Math.fround(0.1)],
  ['0.1::float8', float32, Math.fround(0.1)],
  ['5e-324::float8', float64, 5e-324],
  ['1.7976931348623157e308::float8', float64, Number.MAX_VALUE],
  ["'-0'::float8", float64, -0],
  ["'NaN'::float8", float64, NaN],
  ["'-Infinity'::float8", float64, -Infinity],
  ["E'a\\tb\\nc\\\\n\\r\\\\'", string, 'a\tb\nc\\n\r\\'],
  ["''", string, ''],
  ["E'\\\\N'", string, '\\N'],
  ["'pad'::char(5)", string, 'pad  '],
  ["'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid", string, '6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
  [`'{"a": "x\\ny", "n": 9007199254740993}'::json`, string, '{"a": "x\\ny", "n": 9007199254740993}'],
  ["'\\x00ff5c27'::bytea", bytes, Uint8Array.of(0, 255, 92, 39)],
  ["''::bytea", bytes, Uint8Array.of()],
  ["timestamp '2024-03-10 02:30:00.123456'", timestamp, at('2024-03-10T02:30:00.123456Z')],
  ["timestamptz '2024-03-10 02:30:00.123456+05:45'", timestamp, at('2024-03-09T20:45:00.123456Z')],
  ["date '1969-12-31'", timestamp, at('1969-12-31T00:00:00Z')],
  ['ARRAY[1, NULL, 9007199254740993]::int8[]', list(int64), [1n, null, 9007199254740993n]],
  [`ARRAY['a,"b"', NULL, E'\\\\{\\n']`, list(string), ['a,"b"', null, '\\{\n']],
  ["ARRAY[0.5, 'NaN']::float8[]", list(float64), [0.5, NaN]],
  ["ARRAY[timestamptz '2024-01-01 01:00+01']", list(timestamp), [at('2024-01-01T00:00:00Z')]],
  ['ARRAY[0.5, -1.25]::float4[]', { kind: 'vector', size: 2 }, Float32Array.of(0.5, -1.25)],
  ["'[1,2]'::jsonb", list(int64), [1n, 2n]],
  ['ARRAY[]::int4[]', list(int32), []],
];

/** A SQL value, what it is declared as, what is said. */
const REFUSED: readonly (readonly [sql: string, type: DataType, told: RegExp])[] = [
  ['1::int4', string, /column "v" is integer, and was declared string\. Declare it t\.int32\(\)/],
  ["'1'::text", int64, /column "v" is text, and was declared int64\. Declare it t\.string\(\)/],
  ['1::int4', bool, /is integer, and was declared bool/],
  ["interval '1 day'", string, /column "v" is interval, and was declared string\. Give it another type/],
  ['2147483648::int8', int32, /column "v" \(bigint\) holds 2147483648, and was declared int32/],
  ['12.5::numeric', int64, /column "v" \(numeric\) holds 12\.5, and was declared int64: it has a fraction/],
  ["'NaN'::numeric", int64, /holds NaN/],
  ['9007199254740993::int8', float64, /holds 9007199254740993, and was declared float64: it has too many digits/],
  ['1e300::float8', float32, /holds 1e\+300, and was declared float32/],
  ["'infinity'::timestamptz", timestamp, /holds infinity, and was declared timestamp: it is no moment/],
  ["'44-03-15 BC'::date", timestamp, /holds 0044-03-15 BC/],
  ['ARRAY[0.5]::float8[]', list(int64), /is double precision\[\], and was declared list\(int64\)/],
  ['ARRAY[1.5]::float4[]', { kind: 'vector', size: 2 }, /holds \[1\.5\], and was declared vector\(2\)/],
  ["'[1, 1.5]'::json", list(int32), /holds \[1, 1\.5\], and was declared list\(int32\)/],
  ["'[1, 3000000000]'::json", list(int32), /holds \[1, 3000000000\]/],
  [`'[true, "x"]'::json`, list(bool), /holds \[true, "x"\]/],
  [`'{"a": 1}'::json`, list(int32), /holds \{"a": 1\}/],
  ["'[[1]]'::json", list(list(int32)), /is json, and was declared list\(list\(int32\)\)/],
  ['ARRAY[[1,2],[3,4]]::int4[]', list(int32), /holds \[\[1,2\],\[3,4\]\]/],
];

describe.runIf(isHere)('a source in Postgres', () => {
  let certificate: Certificate;
  let server: PostgresServer;
  let url: string;
  let admin: pg.Client;
  const warned: object[] = [];
  const world = worldOfAll(warned);
  beforeAll(async () => {
    certificate = makeCertificate('postgres');
    server = await startPostgres({ tls: certificate });
    url = await server.newDatabase();
    admin = new pg.Client({ connectionString: url });
    admin.on('error', () => {});
    await admin.connect();
    await admin.query("CREATE TYPE mood AS ENUM ('glad', 'sad')");
  }, 60_000);
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });

  const { table, query } = databaseReader(world, 'postgres', () => url);
  const one = (address: string | undefined, silenceMs?: number) =>
    query(valueOf(int32), 'SELECT 1 AS v', through(address, silenceMs));
  const id = (name: string): Field[] => [{ name, type: int64 }];
  const database = () => /\/(test_\d+)\?/.exec(url)?.[1];
  /** What a run leaves behind. */
  const unfinished = () => readdirSync(world.path('landed/orders')).filter((name) => name.startsWith('unfinished'));
  /** A way to the server that a test can hold up, and the URL of the same database by it. */
  const gated = async () => {
    const folder = decodeURIComponent(/host=([^&]*)/.exec(url)?.[1] ?? '');
    const gate = await openGate(() => join(folder, `.s.PGSQL.${server.port}`));
    onTestFinished(() => gate.end());
    return { gate, here: url.replace(/@\/(\w+)\?.*$/, `@127.0.0.1:${gate.port}/$1`) };
  };

  it('reads each value as what its column is declared', async () => {
    const named = BECOME.map(([sql, type, expected], i) => ({ name: `v${i}`, sql, type, expected }));
    const [row = {}] = await query(named, `SELECT ${named.map(({ name, sql }) => `${sql} AS ${name}`).join(', ')}`);
    for (const { name, sql, expected } of named) expect(row[name], sql).toStrictEqual(expected);
  });

  it.each(REFUSED)('refuses %s declared %j', async (sql, type, told) => {
    const reading = query(valueOf(type), `SELECT ${sql} AS v`);
    await refused(reading, 'HR_SOURCE_UNREADABLE', /^source "orders": column "v"/, told);
  });

  it('gives every text, number and time back as it was put there', { timeout: 60_000 }, async () => {
    await admin.query('CREATE TABLE anything (n int, s text, f float8, i int8, at timestamptz)');
    const row = fc.record(
      {
        s: fc.option(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''))),
        f: fc.option(fc.double()),
        i: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        at: fc.option(fc.integer({ min: -62_000_000_000_000_000 / 8, max: 9_000_000_000_000_000 })),
      },
      { noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 30 }), async (rows) => {
        await admin.query('TRUNCATE anything');
        for (const [n, { s, f, i, at: micros }] of rows.entries())
          await admin.query(
            "INSERT INTO anything VALUES ($1, $2, $3, $4, timestamptz 'epoch' + $5::int8 * interval '1 microsecond')",
            [n, s, f === null ? null : Object.is(f, -0) ? '-0' : String(f), i === null ? null : String(i), micros],
          );
        const columns = fields({ s: string, f: float64, i: int64, at: timestamp });
        expect(await query(columns, 'SELECT s, f, i, at FROM anything ORDER BY n;')).toStrictEqual(rows);
      }),
      { numRuns: runs(15) },
    );
  });

  it('reads a table of a schema, names that need quotes, and values longer than a buffer', async () => {
    await admin.query('CREATE SCHEMA "My.Shop"; CREATE TABLE "My.Shop"."Big ""Table""" ("Id" int8, "select" text)');
    await admin.query(`INSERT INTO "My.Shop"."Big ""Table""" VALUES (1, repeat(E'x\\n', 2500000)), (2, 'y')`);
    const rows = await table(fields({ Id: int64, select: string }), '"My.Shop"."Big ""Table"""');
    const lengths = rows.map(({ Id, select }) => [Id, (select as string).length]);
    expect(lengths).toEqual([
      [1n, 5_000_000],
      [2n, 1],
    ]);
  });

  it('names the nearest table and the nearest column of what is missing', async () => {
    await admin.query('CREATE TABLE customers (customer_id int8, "Name" text)');
    await admin.query('CREATE SCHEMA crm; CREATE TABLE crm.visits (customer_id int8)');
    for (const [reading, told] of [
      [
        () => table(id('customer_id'), 'public.custmers'),
        /relation "public\.custmers" does not exist\. Did you mean "public\.customers"\?/,
      ],
      [() => table(id('customer_id'), 'visits'), /relation "visits" does not exist\. Did you mean "crm\.visits"\?$/],
      [
        () => table(id('custmer_id'), 'customers'),
        /source "orders" has no column "custmer_id"\. Did you mean "customer_id"\? It has: customer_id, Name\./,
      ],
      [() => query(id('a'), 'SELECT 1::int8 AS a, 2::int8 AS a'), /its query gives 2 columns "a"/],
    ] as const)
      await refused(reading(), 'HR_SOURCE_UNREADABLE', told);
    await refused(table(id('a'), 'a..b'), /./, /"a\.\.b" is no name of a table/);
  });

  it('says so when a column has another type than in the run before', async () => {
    const turning = () => table(valueOf(int32), 'turning');
    await admin.query('CREATE TABLE turning (v int4); INSERT INTO turning VALUES (5)');
    expect(await turning()).toEqual([{ v: 5 }]);
    await admin.query('ALTER TABLE turning ALTER v TYPE int8');
    expect(await turning()).toEqual([{ v: 5 }]);
    await admin.query('ALTER TABLE turning ALTER v TYPE text');
    await refused(turning(), /./, /column "v" is text, and was declared int32/);
  });

  it('writes nothing, whatever its query says', async () => {
    const dropping = 'SELECT 1 AS v) AS x; DROP TABLE customers; SELECT * FROM (SELECT 1 AS v';
    await refused(query(valueOf(int32), dropping), 'HR_SOURCE_UNREADABLE', /read-only transaction/);
  });

  it('tells which variable is not set, or holds something else, and never its value', async () => {
    const unset = /the environment variable ORDERS_URL is not set.*postgres:\/\/USER:PASSWORD@HOST/;
    await refused(one(undefined), 'HR_CONFIG', unset);
    for (const text of ['mysql://me:hunter2@host/db', 'hunter2', 'postgres://me:hunt/er2@host:port:1/db'])
      expect((await refused(one(text), 'HR_CONFIG')).message).not.toMatch(/hunt/);
  });

  it('shows no password, wherever the server or the driver repeats it', async () => {
    await admin.query("CREATE ROLE hunter2 LOGIN PASSWORD 'x'");
    // The server says that the role "hunter2" isn't there: a password put in the wrong place is one still.
    const { gate } = await gated();
    const wrong = one(`postgres://nobody:nobody@127.0.0.1:${gate.port}/${database()}`);
    const role = /Postgres at postgres:\/\/127\.0\.0\.1:\d+\/test_\d+ refuses us: role "\*\*\*" does not exist/;
    await refused(wrong, 'HR_CONFIG', role);
    const reading = one('postgres://me:hunter2%40@127.0.0.1:1/db');
    const gone = await refused(reading, 'HR_SOURCE_UNAVAILABLE', /can’t be reached.*4 attempts.*ECONNREFUSED/);
    expect(JSON.stringify([gone, gone.message, gone.cause, gone.stack, warned])).not.toMatch(/hunter2/);
  });

  it('logs in with a password over TLS, to whom its certificate proves', async () => {
    await admin.query("CREATE ROLE reader LOGIN PASSWORD 'p@ss:w/rd'");
    const root = world.path('root.pem');
    writeFileSync(root, certificate.cert);
    const by = (parameters: string, password = 'p@ss:w/rd') => {
      const address = `postgres://reader:${encodeURIComponent(password)}@localhost:${server.port}/${database()}?${parameters}`;
      return query(valueOf(bool), 'SELECT ssl AS v FROM pg_stat_ssl WHERE pid = pg_backend_pid()', through(address));
    };
    const verified = `sslmode=verify-full&sslrootcert=${root}`;
    expect(await by(verified)).toEqual([{ v: true }]);
    expect(await by('sslmode=disable')).toEqual([{ v: false }]);
    const wrong = /refuses us: password authentication failed for user "reader"/;
    await refused(by(verified, 'hunter2'), 'HR_CONFIG', wrong);
    for (const parameters of ['sslmode=verify-full', 'sslmode=verify-full&sslrootcert=/not/there'])
      expect((await refused(by(parameters), 'HR_CONFIG')).message).not.toMatch(/p@ss/);
  });

  it.each(['timestamptz', 'timestamp', 'date'])(
    'asks for the rows of the event times that are wanted: %s',
    async (type) => {
      const days =
        "generate_series(timestamptz '2025-01-01 00:00Z', timestamptz '2025-12-31 00:00Z', interval '1 day')";
      await admin.query(
        `DROP TABLE IF EXISTS year; CREATE TABLE year (n int4, at ${type}); INSERT INTO year VALUES (-1, NULL);
          INSERT INTO year SELECT row_number() OVER (), (at AT TIME ZONE 'UTC')::${type} FROM ${days} at`,
      );
      await expectDaysOfRanges((range) => table(DAY_COLUMNS, 'year', { range }));
      await expectDaysOfRanges((range) => query(DAY_COLUMNS, 'SELECT * FROM year ORDER BY n;', { range }));
    },
  );

  // twin: test/unit/offline-databases.test.ts > that is lost begins again from the start, three times
  fullIt('reads again from the start when the server ends the connection, and keeps nothing of the half', async () => {
    await admin.query(
      'CREATE TABLE long AS SELECT i::int4 AS v, repeat(md5(i::text), 40) AS pad FROM generate_series(1, 40000) i',
    );
    const { here } = await gated();
    let ends = 0;
    // Only what reads the rows, in the middle of them: the socket's buffers are full then, and it waits.
    const end = async () => {
      const { rowCount } = await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%long%' AND pid <> pg_backend_pid()",
      );
      ends += rowCount ?? 0;
    };
    const lasting = (seconds: number, mayEnd: () => boolean) => {
      const ending = setInterval(() => void (mayEnd() && end().catch(() => {})), 5);
      const reading = query(valueOf(int32), `SELECT v, pad FROM long, pg_sleep(${seconds})`, through(here));
      return reading.finally(() => clearInterval(ending));
    };
    const rows = await lasting(1, () => ends < 2);
    expect(ends).toBeGreaterThanOrEqual(1);
    expect(rows.length).toBe(40_000);
    expect(new Set(rows.map(({ v }: Row) => v)).size).toBe(40_000);
    const told = /4 attempts, the last: terminating connection due to administrator command/;
    await refused(
      lasting(5, () => true),
      'HR_SOURCE_UNAVAILABLE',
      told,
    );
    expect(unfinished()).toEqual([]);
  });

  it('gives up a server that says nothing, at its start or in the middle of the rows', async () => {
    const slow = query(valueOf(int32), 'SELECT 1 AS v FROM pg_sleep(5)', through(url, 300));
    const told = /said nothing for 0\.3 s, so it was given up.*offline\.sourceSilence/;
    await refused(slow, 'HR_SOURCE_UNAVAILABLE', told);
    const { gate, here } = await gated();
    gate.holdBack();
    await refused(one(here, 300), 'HR_SOURCE_UNAVAILABLE');
    expect(unfinished()).toEqual([]);
  });

  it('says what the server says of a statement that it cancelled', async () => {
    await admin.query(`ALTER DATABASE ${database()} SET statement_timeout = 150`);
    onTestFinished(async () => void (await admin.query(`ALTER DATABASE ${database()} RESET statement_timeout`)));
    const told = /can’t give its rows: canceling statement due to statement timeout/;
    await refused(query(valueOf(int32), 'SELECT 1 AS v FROM pg_sleep(5)'), 'HR_SOURCE_UNREADABLE', told);
  });
});
