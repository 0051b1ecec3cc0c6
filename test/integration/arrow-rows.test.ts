// Rows between DuckDB and Arrow: there and back is the same, and what only Arrow has keeps its meaning.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  Binary,
  type Data,
  DateMillisecond,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  Float16,
  Int32,
  Int8,
  makeData,
  makeVector,
  Null,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
  Timestamp,
  TimestampNanosecond,
  TimeUnit,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arrowToParquet } from '../../src/offline/arrow/arrow-to-parquet.ts';
import { streamArrow } from '../../src/offline/index.ts';
import { type DuckDb, openDuckDb } from '../../src/storage/index.ts';
import { runs } from '../support/tier.ts';

let directory: string;
let duckdb: DuckDb;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headrace-arrow-'));
  duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), threads: 2 });
});
afterAll(async () => {
  await duckdb.close();
  rmSync(directory, { recursive: true, force: true });
});
const file = (name: string): string => join(directory, name);

async function rows(sql: string): Promise<unknown[][]> {
  const connection = await duckdb.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowsJson() as unknown[][];
  } finally {
    connection.closeSync();
  }
}

async function toArrow(path: string, instants: readonly string[] = []): Promise<Buffer> {
  const out = new PassThrough();
  const bytes = out.toArray();
  await streamArrow(duckdb, path, out, new Set(instants));
  return Buffer.concat(await bytes);
}

async function fromArrow(stream: Uint8Array): Promise<string> {
  writeFileSync(file('in.arrows'), stream);
  await arrowToParquet(duckdb, file('in.arrows'), file('back.parquet'));
  return file('back.parquet');
}

/** SQL types, and an expression over a row's number `i` and a seed that gives values of each, its edges among them. */
const COLUMNS: readonly [type: string, sql: (seed: number) => string][] = [
  ['BOOLEAN', (s) => `hash(i + ${s}) % 2 = 0`],
  ['TINYINT', (s) => `(hash(i + ${s}) % 256)::INT - 128`],
  ['SMALLINT', (s) => `(hash(i + ${s}) % 65536)::INT - 32768`],
  ['INTEGER', (s) => `(hash(i + ${s}) % 4294967296)::BIGINT - 2147483648`],
  [
    'BIGINT',
    (s) =>
      `CASE i % 3 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN -9223372036854775808 ELSE (hash(i + ${s}) % 9007199254740993)::BIGINT END`,
  ],
  ['UTINYINT', (s) => `hash(i + ${s}) % 256`],
  ['USMALLINT', (s) => `hash(i + ${s}) % 65536`],
  ['UINTEGER', (s) => `hash(i + ${s}) % 4294967296`],
  ['UBIGINT', (s) => `hash(i + ${s})`],
  [
    'FLOAT',
    (s) => `CASE i % 5 WHEN 0 THEN 'nan'::FLOAT WHEN 1 THEN '-inf'::FLOAT ELSE (i * ${s} % 1000)::FLOAT / 7 END`,
  ],
  [
    'DOUBLE',
    (s) => `CASE i % 5 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN 'inf'::DOUBLE WHEN 2 THEN -0.0 ELSE (i + ${s}) / 7 END`,
  ],
  [
    'VARCHAR',
    (s) =>
      `CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN 'ünï' || (i % 9) WHEN 2 THEN repeat('long 🦆 ', (i % 20)::INT) ELSE (hash(i + ${s}) % 1000)::VARCHAR END`,
  ],
  ['BLOB', (s) => `unhex(printf('%08X', (hash(i + ${s}) % 4294967296)::BIGINT))`],
  ['TIMESTAMP', (s) => `make_timestamp((hash(i + ${s}) % 4000000000000000)::BIGINT - 2000000000000000)`],
  ['TIMESTAMPTZ', (s) => `make_timestamp((hash(i + ${s}) % 4000000000000000)::BIGINT - 2000000000000000)`],
  ['TIMESTAMP_NS', (s) => `make_timestamp_ns((hash(i + ${s}) % 4000000000000000000)::BIGINT - 2000000000000000000)`],
  ['DATE', (s) => `DATE '1970-01-01' + ((hash(i + ${s}) % 100000)::INT - 50000)`],
  ['TIME', (s) => `TIME '00:00:00' + to_microseconds((hash(i + ${s}) % 86400000000)::BIGINT)`],
  ['DECIMAL(18,3)', (s) => `((hash(i + ${s}) % 1000000000)::BIGINT - 500000000) / 1000`],
  ['DECIMAL(38,10)', (s) => `((hash(i + ${s}) % 1000000000)::BIGINT - 500000000)::DECIMAL(38,10) * 1000000007`],
  ['BIGINT[]', (s) => `list_transform(range((i % 4)::BIGINT), lambda x: CASE WHEN x = 1 THEN NULL ELSE x + ${s} END)`],
  ['VARCHAR[][]', () => `CASE i % 3 WHEN 0 THEN [] WHEN 1 THEN [['a', NULL], []] ELSE [NULL, ['b']] END`],
  ['FLOAT[3]', (s) => `[i::FLOAT, ${s}::FLOAT, NULL]`],
];

describe('rows of DuckDB', () => {
  it('are the same after they were an Arrow stream, whatever their type and number', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 1, 63, 64, 2047, 2048, 2049, 5000, 65_535, 65_536, 65_537),
        fc.constantFrom(0, 1, 2, 3, 7, 64),
        fc.integer({ min: 1, max: 1000 }),
        async (count, nulls, seed) => {
          const columns = COLUMNS.map(
            ([type, sql], at) =>
              `CAST(CASE WHEN ${nulls === 0 ? 'false' : `hash(i * ${at + 1} + ${seed}) % ${nulls} = 0`} THEN NULL ELSE ${sql(seed)} END AS ${type}) AS "c ${at}"`,
          );
          await rows(
            `COPY (SELECT i, ${columns.join(', ')} FROM range(${count}) t(i)) TO '${file('a.parquet')}' (FORMAT parquet, ROW_GROUP_SIZE 3000)`,
          );
          const back = await fromArrow(await toArrow(file('a.parquet')));
          const described = (path: string) =>
            rows(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '${path}')`);
          expect(await described(back)).toEqual(await described(file('a.parquet')));
          const [[[differing]], [[sum]], [[wanted]]] = (await Promise.all([
            rows(
              `SELECT count(*)::INT FROM '${file('a.parquet')}' a FULL JOIN '${back}' b USING (i) WHERE a IS DISTINCT FROM b`,
            ),
            rows(`SELECT count(*)::INT FROM '${back}'`),
            rows(`SELECT count(*)::INT FROM '${file('a.parquet')}'`),
          ])) as [[[number]], [[number]], [[number]]];
          expect([differing, sum]).toEqual([0, wanted]);
          // In the same order.
          expect(
            await rows(
              `SELECT count(*)::INT FROM (SELECT i, row_number() OVER () - 1 AS n FROM '${back}') WHERE i <> n`,
            ),
          ).toEqual([[0]]);
        },
      ),
      { numRuns: runs(12) },
    );
  }, 120_000);

  it('of a type that Arrow has not are text, and timestamps of features are of UTC', async () => {
    await rows(
      `COPY (SELECT 170141183460469231731687303715884105727::HUGEINT AS h, {'a': 1} AS s, 'x'::ENUM('x', 'y') AS e, TIMESTAMP_S '2024-01-01 00:00:01' AS t, TIMESTAMP '2024-01-01 00:00:01.5' AS f) TO '${file('odd.parquet')}'`,
    );
    const table = tableFromIPC(await toArrow(file('odd.parquet'), ['f']));
    expect(table.schema.fields.map(({ type }) => String(type))).toEqual([
      'Float64',
      'Utf8',
      'Utf8',
      'Timestamp<MICROSECOND>',
      'Timestamp<MICROSECOND, UTC>',
    ]);
    expect(table.getChild('e')?.get(0)).toBe('x');
  });
});

const data = (type: unknown, values: unknown, length: number, more: object = {}): Data =>
  makeData({ type, data: values, length, nullCount: 0, ...more } as never) as unknown as Data;

function streamOf(columns: Readonly<Record<string, Data>>): Uint8Array {
  const vectors = Object.fromEntries(Object.entries(columns).map(([name, one]) => [name, makeVector(one)]));
  return tableToIPC(new Table(vectors as never), 'stream');
}

const described = (path: string) => rows(`SELECT column_type FROM (DESCRIBE SELECT * FROM '${path}')`);

describe('columns of Arrow', () => {
  it('that only it has become what they mean', async () => {
    const micros = 1_700_000_000_123_456n;
    const path = await fromArrow(
      streamOf({
        zone: data(new Timestamp(TimeUnit.MICROSECOND, 'America/New_York'), BigInt64Array.of(micros), 1),
        seconds: data(new Timestamp(TimeUnit.SECOND, null), BigInt64Array.of(-1n), 1),
        nanos: data(new TimestampNanosecond(), BigInt64Array.of(micros * 1000n + 789n), 1),
        nanos_zone: data(new Timestamp(TimeUnit.NANOSECOND, 'UTC'), BigInt64Array.of(-1n), 1),
        day: data(new DateMillisecond(), BigInt64Array.of(86_400_000n), 1),
        half: data(new Float16(), Uint16Array.of(0x3e00), 1),
        fixed: data(new FixedSizeBinary(2), Uint8Array.of(1, 2), 1),
        decimal: data(new Decimal(2, 10), Uint32Array.of(0xffffff85, 0xffffffff, 0xffffffff, 0xffffffff), 1),
        nothing: makeData({ type: new Null(), length: 1 }) as unknown as Data,
      }),
    );
    expect(await described(path)).toEqual(
      [
        'TIMESTAMP WITH TIME ZONE',
        'TIMESTAMP',
        'TIMESTAMP_NS',
        'TIMESTAMP WITH TIME ZONE',
        'DATE',
        'FLOAT',
        'BLOB',
        'DECIMAL(10,2)',
        'VARCHAR',
      ].map((type) => [type]),
    );
    expect(
      await rows(
        `SELECT epoch_us(zone)::VARCHAR, seconds::VARCHAR, epoch_ns(nanos)::VARCHAR, epoch_us(nanos_zone)::VARCHAR, "day"::VARCHAR, half, hex(fixed), decimal::VARCHAR, nothing FROM '${path}'`,
      ),
    ).toEqual([
      [
        String(micros),
        '1969-12-31 23:59:59',
        String(micros * 1000n + 789n),
        '-1',
        '1970-01-02',
        1.5,
        '0102',
        '-1.23',
        null,
      ],
    ]);
  });

  it('that are dictionaries become their values, nulls included, and a dictionary that is replaced is', async () => {
    const type = new Dictionary(new Utf8(), new Int8(), 1);
    const batch = (words: readonly string[], indices: readonly number[]): RecordBatch => {
      const column = makeData({
        type,
        length: indices.length,
        data: Int8Array.from(indices.map((index) => Math.max(index, 0))),
        nullCount: indices.filter((index) => index < 0).length,
        nullBitmap: Uint8Array.of(
          indices.reduce((bits, index, at) => bits | (index < 0 ? 0 : 1 << at), 0),
          0,
          0,
          0,
          0,
          0,
          0,
          0,
        ),
        dictionary: vectorFromArray(words, new Utf8()),
      });
      const schema = new Schema([new Field('c', type, true)]);
      return new RecordBatch(
        schema,
        makeData({ type: new Struct(schema.fields), length: indices.length, nullCount: 0, children: [column] }),
      );
    };
    const writer = new RecordBatchStreamWriter();
    writer.write(batch(['low', 'high'], [1, 0, -1, 1]));
    writer.write(batch(['only'], [0, 0]));
    writer.finish();
    const path = await fromArrow(await writer.toUint8Array());
    expect(await rows(`SELECT c FROM '${path}'`)).toEqual([['high'], ['low'], [null], ['high'], ['only'], ['only']]);
    expect(await described(path)).toEqual([['VARCHAR']]);
  });

  it('that cannot be are named', async () => {
    const inner = data(new Int32(), Int32Array.of(1), 1);
    const struct = makeData({
      type: new Struct([new Field('x', new Int32(), true)]),
      length: 1,
      nullCount: 0,
      children: [inner],
    } as never) as unknown as Data;
    await expect(fromArrow(streamOf({ ok: inner, pair: struct }))).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('"pair"'),
    });
    await expect(fromArrow(streamOf({ a: inner, A: inner }))).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('two columns "A"'),
    });
    await expect(fromArrow(streamOf({ '': inner }))).rejects.toMatchObject({ code: 'HR_SPINE' });
    await expect(fromArrow(streamOf({}))).rejects.toMatchObject({ code: 'HR_SPINE' });
    expect(String(new Binary())).toBe('Binary');
  });
});

describe('a stream that is not whole', () => {
  it('is told, wherever it was cut or changed; nothing else is thrown', async () => {
    await rows(`COPY (SELECT i, i::VARCHAR AS s FROM range(5000) t(i)) TO '${file('w.parquet')}'`);
    const whole = await toArrow(file('w.parquet'));
    const outcome = (bytes: Uint8Array) =>
      fromArrow(bytes).then(
        () => 'read',
        (thrown: { code?: string }) => thrown.code ?? String(thrown),
      );
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.boolean(), async (at, isCut) => {
        const bytes = isCut ? whole.subarray(0, at) : Buffer.from(whole);
        if (!isCut) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
        expect(['HR_SPINE', 'read']).toContain(await outcome(bytes));
      }),
      { numRuns: runs(60) },
    );
    expect(await outcome(whole.subarray(0, 1000))).toBe('HR_SPINE');
    expect(await outcome(whole.subarray(0, whole.length - 20))).toBe('HR_SPINE');
    expect(await outcome(readFileSync(file('w.parquet')))).toBe('HR_SPINE');
    expect(await outcome(whole)).toBe('read');
  }, 60_000);
});
