// What Snowflake's values become, and what is told when they can't be read: by its own SDK, on fakesnow.

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type DataType, type Field, parseTimestamp, type Value } from '../../src/core/index.ts';
import { inspectPlace } from '../../src/offline/index.ts';
import { DAY_COLUMNS, expectDaysOfRanges } from '../support/days-of-a-year.ts';
import { type OfflineWorld, openOfflineWorld, TYPES } from '../support/offline-world.ts';
import { type Asked, readSource } from '../support/read-source.ts';
import { skipBecause } from '../support/skips.ts';
import { bringSnowflake, type SnowflakeServer, startSnowflake } from '../support/snowflake-server.ts';

const isHere = bringSnowflake();
if (!isHere) skipBecause('sources in Snowflake: fakesnow or snowflake-sdk can’t be had (through pip and npm)');

const { bool, int32, int64, float64, string, bytes, timestamp } = TYPES;
const at = (text: string): number => parseTimestamp(text) as number;

/** A SQL value, what it is declared as, what it becomes. */
const BECOME: readonly (readonly [sql: string, type: DataType, value: Value])[] = [
  ['true', bool, true],
  ['NULL::boolean', bool, null],
  ['9007199254740993::number(38,0)', int64, 9007199254740993n],
  ['12.50::number(10,2)', float64, 12.5],
  ['12.00::number(10,2)', int32, 12],
  ['0.1::float', float64, 0.1],
  ['NULL::float', float64, null],
  ["''", string, ''],
  ["'NULL'", string, 'NULL'],
  ["'a\\tb\\nc\\\\n'", string, 'a\tb\nc\\n'],
  ['parse_json(\'{"a": 1}\')', string, '{"a":1}'],
  ["to_binary('00ff', 'HEX')", bytes, Uint8Array.of(0, 255)],
  ["'2024-03-10 02:30:00.123456'::timestamp_ntz", timestamp, at('2024-03-10T02:30:00.123456Z')],
  ["'2024-03-10 02:30:00.5+05:45'::timestamp_tz", timestamp, at('2024-03-09T20:45:00.5Z')],
  ["'1969-12-31'::date", timestamp, at('1969-12-31T00:00:00Z')],
];

describe.runIf(isHere)('a source in Snowflake (fakesnow)', () => {
  let server: SnowflakeServer;
  let world: OfflineWorld;
  beforeAll(async () => {
    server = await startSnowflake();
    world = await openOfflineWorld();
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await server?.stop();
  });

  const ask = (
    columns: readonly Field[],
    location: Readonly<Record<string, string>>,
    url = server.url,
    silenceMs = 20_000,
  ): Asked => ({
    kind: 'snowflake',
    columns,
    location: { connection: 'env:ORDERS_URL', ...location },
    remote: { variable: () => url, databases: { backoffMs: 1, silenceMs, importSdk: server.importSdk } },
  });
  const failed = (asked: Asked) =>
    readSource(world, asked).then(
      () => expect.fail('it was read'),
      (error: Error & { readonly code: string }) => error,
    );
  const value = (type: DataType): Field[] => [{ name: 'v', type }];

  it.each(BECOME)('reads %s as %j', async (sql, type, expected) => {
    const found = await readSource(world, ask(value(type), { query: `SELECT ${sql} AS v;` }));
    expect(found).toStrictEqual([{ v: expected }]);
  });

  it.each(['TIMESTAMP_NTZ', 'TIMESTAMP_TZ', 'DATE'])('asks for rows of the wanted event times: %s', async (type) => {
    const day = "DATEADD(day, n - 1, '2025-01-01'::DATE)";
    const numbers = 'SELECT ROW_NUMBER() OVER (ORDER BY 1) AS n FROM TABLE(GENERATOR(ROWCOUNT => 365))';
    const query = `SELECT ${day}::${type} AS at, n FROM (${numbers}) UNION ALL SELECT NULL, -1`;
    await expectDaysOfRanges((range) => readSource(world, { ...ask(DAY_COLUMNS, { query }), range }));
  });

  it('refuses what a column can’t be', async () => {
    const error = await failed(ask(value(string), { query: 'SELECT 1 AS v' }));
    expect(error).toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
    expect(error.message).toMatch(/column "v" is number, and was declared string\. Declare it t\.int64\(\)/);
    const overflow = await failed(ask(value(int32), { query: 'SELECT 3000000000 AS v' }));
    expect(overflow.message).toMatch(/holds 3000000000, and was declared int32/);
  });

  it('finds a table and its columns whatever the case, and names the nearest of what is missing', async () => {
    await server.run(['CREATE OR REPLACE TABLE customers AS SELECT 7 AS customer_id, current_timestamp() AS seen']);
    const id: Field[] = [{ name: 'customer_id', type: int64 }];
    for (const table of ['customers', 'public.Customers', '"SHOP"."PUBLIC"."CUSTOMERS"'])
      expect(await readSource(world, ask(id, { table }))).toEqual([{ customer_id: 7n }]);
    const { location, remote } = ask(id, { table: 'customers' });
    const found = await inspectPlace({ kind: 'snowflake', location }, '', { ...world.deps, remote });
    const columns = found.columns.map(({ name, suggested }) => `${name} ${suggested?.kind}`);
    expect(columns).toEqual(['CUSTOMER_ID int64', 'SEEN timestamp']);
    const missing = await failed(ask(id, { table: 'public.custmers' }));
    expect(missing).toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
    expect(missing.message).toMatch(/CUSTMERS does not exist!?\. Did you mean "PUBLIC\.CUSTOMERS"\?/);
  });

  it('shows no password, and tells which package is missing', async () => {
    const wrong = await failed(ask(value(int32), { query: 'SELECT 1 AS v' }, server.url.replace('right', 'wrong')));
    expect(wrong).toMatchObject({ code: 'HR_CONFIG' });
    expect(wrong.message).toMatch(/at snowflake:\/\/acme\/SHOP\/PUBLIC refuses us: Incorrect username or password/);
    const parameter = await failed(ask(value(int32), { query: 'SELECT 1 AS v' }, `${server.url}&warehose=W`));
    expect(parameter.message).toMatch(/no parameter "warehose"\. Did you mean "warehouse"\?/);
    const shown = JSON.stringify([wrong, parameter].map((error) => [error.message, error.stack, error.cause]));
    expect(shown).not.toMatch(/wrong|right/);
    const importSdk = () => Promise.reject(new Error('Cannot find package'));
    const asked = ask(value(int32), { query: 'SELECT 1 AS v' });
    const absent = await failed({ ...asked, remote: { ...asked.remote, databases: { importSdk } } });
    expect(absent).toMatchObject({ code: 'HR_CONFIG' });
    expect(absent.message).toMatch(/npm install snowflake-sdk/);
  });

  it('gives up a server that stands still', { timeout: 30_000 }, async () => {
    process.kill(server.pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(server.pid, 'SIGCONT'));
    const error = await failed(ask(value(int32), { query: 'SELECT 1 AS v' }, server.url, 500));
    expect(error).toMatchObject({ code: 'HR_SOURCE_UNAVAILABLE' });
    expect(error.message).toMatch(/said nothing for 0\.5 s/);
  });
});
