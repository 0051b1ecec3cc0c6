// Rows between DuckDB and Arrow: there and back is the same, and what only Arrow has keeps its meaning.

import { readFileSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import * as arrow from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrowToParquet } from '../../src/offline/arrow/arrow-to-parquet.ts';
import { streamArrow } from '../../src/offline/index.ts';
import { worldOfAll } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';
import { runs } from '../support/tier.ts';

const world = worldOfAll();
const file = (name: string): string => world.path(name);
async function rows(sql: string): Promise<unknown[][]> {
  return (await world.connection.runAndReadAll(sql)).getRowsJson() as unknown[][];
}

async function toArrow(path: string, instants: readonly string[] = []): Promise<Buffer> {
  const out = new PassThrough();
  const bytes = out.toArray();
  await streamArrow(world.deps.duckdb, path, out, new Set(instants));
  return Buffer.concat(await bytes);
}

async function fromArrow(stream: Uint8Array): Promise<string> {
  writeFileSync(file('in.arrows'), stream);
  await arrowToParquet(world.deps.duckdb, file('in.arrows'), file('back.parquet'));
  return file('back.parquet');
}

/** SQL types, and an expression over a row's number `i` and its hash `h` that gives values of each, its edges among them. */
const COLUMNS: readonly [type: string, sql: string][] = [
  ['BOOLEAN', 'h % 2 = 0'],
  ['TINYINT', '(h % 256)::INT - 128'],
  ['SMALLINT', '(h % 65536)::INT - 32768'],
  ['INTEGER', '(h % 4294967296)::BIGINT - 2147483648'],
  [
    'BIGINT',
    'CASE i % 3 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN -9223372036854775808 ELSE (h % 9007199254740993)::BIGINT END',
  ],
  ['UTINYINT', 'h % 256'],
  ['USMALLINT', 'h % 65536'],
  ['UINTEGER', 'h % 4294967296'],
  ['UBIGINT', 'h'],
  ['FLOAT', "CASE i % 5 WHEN 0 THEN 'nan'::FLOAT WHEN 1 THEN '-inf'::FLOAT ELSE (h % 1000)::FLOAT / 7 END"],
  [
    'DOUBLE',
    "CASE i % 5 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN 'inf'::DOUBLE WHEN 2 THEN -0.0 ELSE (h % 1000)::DOUBLE / 7 END",
  ],
  [
    'VARCHAR',
    "CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN 'ünï' || (i % 9) WHEN 2 THEN repeat('long 🦆 ', (i % 20)::INT) ELSE (h % 1000)::VARCHAR END",
  ],
  ['BLOB', "unhex(printf('%08X', (h % 4294967296)::BIGINT))"],
  ['TIMESTAMP', 'make_timestamp((h % 4000000000000000)::BIGINT - 2000000000000000)'],
  ['TIMESTAMPTZ', 'make_timestamp((h % 4000000000000000)::BIGINT - 2000000000000000)'],
  ['TIMESTAMP_NS', 'make_timestamp_ns((h % 4000000000000000000)::BIGINT - 2000000000000000000)'],
  ['DATE', "DATE '1970-01-01' + ((h % 100000)::INT - 50000)"],
  ['TIME', "TIME '00:00:00' + to_microseconds((h % 86400000000)::BIGINT)"],
  ['DECIMAL(18,3)', '((h % 1000000000)::BIGINT - 500000000) / 1000'],
  ['DECIMAL(38,10)', '((h % 1000000000)::BIGINT - 500000000)::DECIMAL(38,10) * 1000000007'],
  [
    'BIGINT[]',
    'list_transform(range((i % 4)::BIGINT), lambda x: CASE WHEN x = 1 THEN NULL ELSE x + (h % 1000)::BIGINT END)',
  ],
  ['VARCHAR[][]', "CASE i % 3 WHEN 0 THEN [] WHEN 1 THEN [['a', NULL], []] ELSE [NULL, ['b']] END"],
  ['FLOAT[3]', '[i::FLOAT, (h % 1000)::FLOAT, NULL]'],
];

const described = (path: string) => rows(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '${path}')`);
const typesOf = async (path: string) => (await described(path)).map(([, type]) => type);

describe('rows of DuckDB', () => {
  it('are the same after they were an Arrow stream, whatever their type and number', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 1, 63, 64, 2047, 2048, 2049, 5000, 65_535, 65_536, 65_537),
        fc.constantFrom(0, 1, 2, 3, 7, 64),
        fc.integer({ min: 1, max: 1000 }),
        async (count, nulls, seed) => {
          const columns = COLUMNS.map(([type, sql], at) => {
            const isNull = nulls === 0 ? 'false' : `hash(i * ${at + 1} + ${seed}) % ${nulls} = 0`;
            return `CAST(CASE WHEN ${isNull} THEN NULL ELSE ${sql} END AS ${type}) AS "c ${at}"`;
          });
          const from = file('a.parquet');
          await rows(
            `COPY (SELECT i, ${columns.join(', ')} FROM (SELECT i, hash(i + ${seed}) AS h FROM range(${count}) t(i))) TO '${from}' (FORMAT parquet, ROW_GROUP_SIZE 3000)`,
          );
          const back = await fromArrow(await toArrow(from));
          expect(await described(back)).toEqual(await described(from));
          // All of them, and in the same order.
          expect(
            await rows(
              `SELECT (SELECT count(*)::INT FROM '${from}' a FULL JOIN '${back}' b USING (i) WHERE a IS DISTINCT FROM b),
                (SELECT count(*)::INT FROM '${back}'), (SELECT count(*)::INT FROM '${from}'),
                (SELECT count(*)::INT FROM (SELECT i, row_number() OVER () - 1 AS n FROM '${back}') WHERE i <> n)`,
            ),
          ).toEqual([[0, count, count, 0]]);
        },
      ),
      { numRuns: runs(12) },
    );
  }, 120_000);

  it('of a type that Arrow has not are text, and timestamps of features are of UTC', async () => {
    await rows(
      `COPY (SELECT 170141183460469231731687303715884105727::HUGEINT AS h, {'a': 1} AS s, 'x'::ENUM('x', 'y') AS e, TIMESTAMP_S '2024-01-01 00:00:01' AS t, TIMESTAMP '2024-01-01 00:00:01.5' AS f) TO '${file('odd.parquet')}'`,
    );
    const table = arrow.tableFromIPC(await toArrow(file('odd.parquet'), ['f']));
    const types = ['Float64', 'Utf8', 'Utf8', 'Timestamp<MICROSECOND>', 'Timestamp<MICROSECOND, UTC>'];
    expect(table.schema.fields.map(({ type }) => String(type))).toEqual(types);
    expect(table.getChild('e')?.get(0)).toBe('x');
  });
});

const data = (type: unknown, values: unknown, length: number, more: object = {}): arrow.Data =>
  arrow.makeData({ type, data: values, length, nullCount: 0, ...more } as never) as unknown as arrow.Data;

function streamOf(columns: Readonly<Record<string, arrow.Data>>): Uint8Array {
  const vectors = Object.fromEntries(Object.entries(columns).map(([name, one]) => [name, arrow.makeVector(one)]));
  return arrow.tableToIPC(new arrow.Table(vectors as never), 'stream');
}

describe('columns of Arrow', () => {
  it('that only it has become what they mean', async () => {
    const micros = 1_700_000_000_123_456n;
    const path = await fromArrow(
      streamOf({
        zone: data(new arrow.Timestamp(arrow.TimeUnit.MICROSECOND, 'America/New_York'), BigInt64Array.of(micros), 1),
        seconds: data(new arrow.Timestamp(arrow.TimeUnit.SECOND, null), BigInt64Array.of(-1n), 1),
        nanos: data(new arrow.TimestampNanosecond(), BigInt64Array.of(micros * 1000n + 789n), 1),
        nanos_zone: data(new arrow.Timestamp(arrow.TimeUnit.NANOSECOND, 'UTC'), BigInt64Array.of(-1n), 1),
        day: data(new arrow.DateMillisecond(), BigInt64Array.of(86_400_000n), 1),
        half: data(new arrow.Float16(), Uint16Array.of(0x3e00), 1),
        fixed: data(new arrow.FixedSizeBinary(2), Uint8Array.of(1, 2), 1),
        decimal: data(new arrow.Decimal(2, 10), Uint32Array.of(0xffffff85, 0xffffffff, 0xffffffff, 0xffffffff), 1),
        nothing: arrow.makeData({ type: new arrow.Null(), length: 1 }) as unknown as arrow.Data,
      }),
    );
    expect((await typesOf(path)).join()).toBe(
      'TIMESTAMP WITH TIME ZONE,TIMESTAMP,TIMESTAMP_NS,TIMESTAMP WITH TIME ZONE,DATE,FLOAT,BLOB,DECIMAL(10,2),VARCHAR',
    );
    const [values] = await rows(
      `SELECT epoch_us(zone)::VARCHAR, seconds::VARCHAR, epoch_ns(nanos)::VARCHAR, epoch_us(nanos_zone)::VARCHAR, "day"::VARCHAR, half, hex(fixed), decimal::VARCHAR, nothing FROM '${path}'`,
    );
    const times = [String(micros), '1969-12-31 23:59:59', String(micros * 1000n + 789n), '-1', '1970-01-02'];
    expect(values).toEqual([...times, 1.5, '0102', '-1.23', null]);
  });

  it('that are dictionaries become their values, nulls included, and a dictionary that is replaced is', async () => {
    const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8(), 1);
    const batch = (words: readonly string[], indices: readonly number[]): arrow.RecordBatch => {
      const valid = indices.reduce((bits, index, at) => bits | (index < 0 ? 0 : 1 << at), 0);
      const column = arrow.makeData({
        type,
        length: indices.length,
        data: Int8Array.from(indices.map((index) => Math.max(index, 0))),
        nullCount: indices.filter((index) => index < 0).length,
        nullBitmap: Uint8Array.of(valid, ...Array<number>(7).fill(0)),
        dictionary: arrow.vectorFromArray(words, new arrow.Utf8()),
      });
      const schema = new arrow.Schema([new arrow.Field('c', type, true)]);
      const struct = {
        type: new arrow.Struct(schema.fields),
        length: indices.length,
        nullCount: 0,
        children: [column],
      };
      return new arrow.RecordBatch(schema, arrow.makeData(struct));
    };
    const writer = new arrow.RecordBatchStreamWriter();
    writer.write(batch(['low', 'high'], [1, 0, -1, 1]));
    writer.write(batch(['only'], [0, 0]));
    writer.finish();
    const path = await fromArrow(await writer.toUint8Array());
    expect(await rows(`SELECT c FROM '${path}'`)).toEqual([['high'], ['low'], [null], ['high'], ['only'], ['only']]);
    expect(await typesOf(path)).toEqual(['VARCHAR']);
  });

  it('that cannot be are named', async () => {
    const inner = data(new arrow.Int32(), Int32Array.of(1), 1);
    const struct = data(new arrow.Struct([new arrow.Field('x', new arrow.Int32(), true)]), undefined, 1, {
      children: [inner],
    });
    await refused(fromArrow(streamOf({ ok: inner, pair: struct })), 'HR_SPINE', '"pair"');
    await refused(fromArrow(streamOf({ a: inner, A: inner })), 'HR_SPINE', 'two columns "A"');
    await refused(fromArrow(streamOf({ '': inner })), 'HR_SPINE');
    await refused(fromArrow(streamOf({})), 'HR_SPINE');
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
