// A cell of a file is the same value, or refused alike, by the audit's reading in TypeScript and by the casts of training sets in SQL:
// over DuckDB's types, their ends, and texts.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type DataType, INVALID, toJson, typeName, type Value } from '../../src/core/index.ts';
import { rawColumn } from '../../src/offline/audit/raw-files.ts';
import { readCell } from '../../src/offline/audit/read-cell.ts';
import { fromDuck } from '../../src/offline/duckdb/vector-values.ts';
import { badValueSql, castSql } from '../../src/offline/sources/sql-text.ts';
import { quoteText } from '../../src/storage/index.ts';
import { TYPES, worldOfAll } from '../support/offline-world.ts';
import { runs } from '../support/tier.ts';

const world = worldOfAll();
const { bool, int32, int64, float32, float64, string, bytes, timestamp } = TYPES;

/** Texts of which DuckDB makes values of a column's type; those of which it makes none are nulls there. */
const powers = fc
  .tuple(fc.constantFrom(7, 8, 15, 16, 24, 31, 32, 53, 63, 64, 127, 128), fc.integer({ min: -2, max: 2 }), fc.boolean())
  .map(([bits, more, isNegative]) => String((isNegative ? -1n : 1n) * (2n ** BigInt(bits) + BigInt(more))));
const whole = fc.oneof(
  powers,
  fc.integer({ min: -300, max: 300 }).map(String),
  fc.bigInt(-(2n ** 63n), 2n ** 63n).map(String),
);
const fraction = fc.oneof(
  whole,
  fc.tuple(fc.integer({ min: -9, max: 999_999 }), fc.integer({ min: 0, max: 999 })).map((parts) => parts.join('.')),
  fc.double().map(String),
  fc.float().map(String),
  fc.constantFrom('NaN', 'inf', '-inf', '-0.0', '1e38', '3.4028235677973366e38', '1e39', '5e-324', '1.5', '0.1'),
);
const day = fc.tuple(
  fc.constantFrom('0001', '1677', '1684', '1969', '1970', '2024', '2255', '2262', '9999', '10000', '20000'),
  fc.constantFrom('01-01', '02-29', '06-30', '12-31'),
);
const clock = fc
  .tuple(fc.constantFrom('00:00:00', '10:30:00', '23:59:59'), fc.stringMatching(/^[0-9]{1,9}$/))
  .map((parts) => parts.join('.'));
const time = fc.oneof(
  fc.tuple(day, clock).map(([date, at]) => `${date.join('-')} ${at}`),
  fc.constantFrom('infinity', '-infinity', '0044-03-15 (BC) 00:00:00', '9999-12-31 23:59:59.999999'),
);
const word = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 5 }), fc.constantFrom('', 'é', '日本'));
const text = fc.oneof(
  whole,
  fraction,
  time.map((one) => one.replace(' ', 'T')),
  fc.tuple(time, fc.constantFrom('Z', '+02:00', ' -0930', '+25:00', 'UTC')).map((parts) => parts.join('')),
  fc.constantFrom(
    'true',
    'FALSE',
    'yes',
    't',
    'NaN',
    'nan',
    'Infinity',
    'inf',
    '0x10',
    '1_000',
    '+5',
    '5.',
    '.5',
    ' 5',
  ),
  fc.constantFrom('1e3', '15e-1', '9007199254740993.0', '1e400', 'AB==', 'AA==', 'AAA=', 'epoch', '03/04/2024'),
  fc.string({ unit: fc.constantFrom(...'0123456789+-.eE_ :TZ/='), minLength: 1, maxLength: 12 }),
);
const uuid = fc.uuid();

const INTEGERS = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT'].flatMap((name) => [name, `U${name}`]);
const FRACTIONS = ['FLOAT', 'DOUBLE', 'DECIMAL(4,1)', 'DECIMAL(18,3)'];
const TIMES = ['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS', 'DATE'];
const tried = (type: string) => (one: string) => `TRY_CAST(${quoteText(one)} AS ${type})`;
// Of a text with an exponent DuckDB makes decimals of 39 digits, at which its own functions stop then: `1.5e38` as DECIMAL(38,0).
const triedOfDigits = (type: string, digits: number) => (one: string) =>
  `CASE WHEN abs(TRY_CAST(${quoteText(one)} AS DOUBLE)) < 1e${digits} THEN ${tried(type)(one)} END`;

interface Column {
  /** Of DuckDB. */
  readonly from: string;
  readonly types: readonly DataType[];
  readonly texts: fc.Arbitrary<string>;
  /** A value of the column in SQL. */
  readonly sql: (text: string) => string;
}

const column = (from: string, types: readonly DataType[], texts: fc.Arbitrary<string>, sql = tried(from)): Column => {
  return { from, types, texts, sql };
};
const SCALARS: readonly Column[] = [
  column('BOOLEAN', [bool], fc.constantFrom('true', 'false')),
  ...INTEGERS.map((from) => column(from, [int32, int64, float32, float64], whole)),
  ...FRACTIONS.map((from) => column(from, [int32, int64, float32, float64], fraction)),
  column('DECIMAL(38,10)', [int32, int64, float32, float64], fraction, triedOfDigits('DECIMAL(38,10)', 28)),
  column('DECIMAL(38,0)', [int32, int64, float32, float64], fraction, triedOfDigits('DECIMAL(38,0)', 38)),
  ...TIMES.map((from) => column(from, [timestamp], time)),
  column('VARCHAR', [bool, int32, int64, float32, float64, string, bytes, timestamp], text, quoteText),
  column('BLOB', [string, bytes], word, (one) => `encode(${quoteText(one)})`),
  column('UUID', [string], uuid),
  column("ENUM('a', 'b')", [string], fc.constantFrom('a', 'b')),
];

/** Values in SQL of a column in batches, and what both make of each. */
async function expectAlike(from: string, type: DataType, values: readonly string[], farTimes: 'values' | 'any') {
  const cast = castSql('x', from, type, farTimes) as string;
  // Of what is not refused the cast must stop at nothing.
  const bad = farTimes === 'any' ? undefined : badValueSql('x', from, type)?.isBad;
  const isBad = bad === undefined ? 'false' : `(x IS NOT NULL AND ${bad})`;
  const rows = values.map((value, at) => `(${at}, ${value})`).join(', ');
  const read = await world.select(
    `SELECT CASE WHEN NOT ${isBad} THEN ${cast} END, ${isBad}, ${rawColumn('x', from, type)}, CAST(x AS VARCHAR) ` +
      `FROM (VALUES ${rows}) t(n, x) ORDER BY n`,
  );
  const shown = (value: Value | typeof INVALID): unknown => (value === INVALID ? 'refused' : toJson(type, value));
  for (const [value = null, isRefused, raw = null, given] of read) {
    const got = isRefused === true ? INVALID : fromDuck(type, value);
    const own = readCell(type, raw, from, farTimes === 'any' ? 'null' : 'refused');
    expect([given, shown(own)]).toEqual([given, shown(got)]);
  }
}

const MANY = 40;
const each = (work: (values: readonly string[]) => Promise<void>, texts: fc.Arbitrary<string>) =>
  fc.assert(fc.asyncProperty(fc.array(texts, { minLength: MANY, maxLength: MANY }), work), {
    numRuns: runs(10),
    endOnFailure: true,
  });

it.each(SCALARS.flatMap((one) => one.types.map((type) => [one.from, typeName(type), one, type] as const)))(
  'a cell of %s as %s, alone and in a list',
  async (_, __, { from, texts, sql }, type) => {
    await each(async (drawn) => {
      const values = drawn.map(sql);
      await expectAlike(from, type, values, 'values');
      if (type.kind === 'timestamp' && from !== 'VARCHAR') await expectAlike(from, type, values, 'any');
      const lists = values.flatMap((value, i) => (i % 2 === 0 ? [`[${value}, ${values[i + 1]}]`] : []));
      if (from !== 'VARCHAR') await expectAlike(`${from}[]`, { kind: 'list', of: type }, lists, 'values');
    }, texts);
  },
);

it.each([
  ['HUGEINT', float64, ['-9007199254740994', '170141183460469231731687303715884105727'], 'values'],
  ['DECIMAL(38,10)', float64, ['-25143992681234429.0', '-1.442'], 'values'],
  ['DECIMAL(38,10)', float32, ['-1.442'], 'values'],
  ['FLOAT', int64, ['16777215', '16777216', '2147483648'], 'values'],
  ['VARCHAR', bool, ['yes', 'true', '1'], 'values'],
  [
    'TIMESTAMP_NS',
    timestamp,
    ['-infinity', 'infinity', '1677-09-21 00:12:43.145224194', '1969-12-31 23:59:59.9999999'],
    'any',
  ],
] as const)('a cell of %s as %j that was once read otherwise by one of them', async (from, type, texts, farTimes) => {
  await expectAlike(from, type, texts.map(from === 'VARCHAR' ? quoteText : tried(from)), farTimes);
});
