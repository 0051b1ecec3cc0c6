// A text of a CSV file is a value where a push takes it, and the same value: DuckDB's casts against the push's parser.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type DataType, INVALID, parseSent, toJson, type Value } from '../../src/core/index.ts';
import { fromDuck } from '../../src/offline/duckdb/vector-values.ts';
import { badValueSql, castSql } from '../../src/offline/sources/sql-text.ts';
import { quoteText } from '../../src/storage/index.ts';
import { TYPES, worldOfAll } from '../support/offline-world.ts';
import { runs } from '../support/tier.ts';

const world = worldOfAll();

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** What a push takes the text for: a number's digits as JSON's number, all else as JSON's text. */
function pushed(type: DataType, text: string): Value | typeof INVALID {
  switch (type.kind) {
    case 'bool':
      return parseSent(type, ({ true: true, false: false } as Record<string, boolean>)[text.toLowerCase()] ?? text);
    case 'int32':
    case 'int64': {
      if (/^[+-]?\d+$/.test(text)) {
        const whole = BigInt(text.replace('+', ''));
        return parseSent(type, type.kind === 'int32' ? Number(whole) : whole);
      }
      // A fraction that a double would lose is one.
      if (!NUMBER.test(text) || /^[^eE]*\.\d*[1-9]\d*$/.test(text)) return INVALID;
      // An integer has one zero.
      return parseSent(type, Number(text) + 0);
    }
    case 'float32':
    case 'float64':
      return parseSent(type, NUMBER.test(text) ? Number(text) : text);
    default:
      return parseSent(type, text);
  }
}

const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`));
const two = fc.oneof(
  fc.constantFrom('00', '01', '10', '12', '23', '28', '29', '59'),
  fc.constantFrom('24', '30', '31', '60', '7'),
);
const date = fc
  .tuple(fc.constantFrom('2024', '2023', '1969', '0001', '0000', '9999', '1684', '2256'), two, two)
  .map((parts) => parts.join('-'));
const zone = fc.constantFrom(
  '',
  'Z',
  'z',
  ' Z',
  '+02:00',
  '-0930',
  '+14',
  '+25:00',
  '+00:60',
  ' +02:00',
  'UTC',
  ' Europe/Berlin',
);
const clock = fc.oneof(
  fc.constant(''),
  fc
    .tuple(
      fc.constantFrom('T', ' ', 't'),
      two,
      two,
      fc.oneof(
        fc.constant(''),
        two.map((s) => `:${s}`),
      ),
      fc.oneof(
        fc.constant(''),
        digits(10).map((f) => `.${f}`),
        digits(3).map((f) => `,${f}`),
      ),
      zone,
    )
    .map(([sign, hour, minute, ...rest]) => `${sign}${hour}:${minute}${rest.join('')}`),
);
const number = fc
  .tuple(
    fc.constantFrom('', '-', '+', '+-', ' ', '_'),
    fc.oneof(digits(20), fc.constant('')),
    fc.oneof(
      fc.constant(''),
      digits(18).map((f) => `.${f}`),
      fc.constant('.'),
    ),
    fc.oneof(
      fc.constant(''),
      fc.tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '-', '+'), digits(3)).map((e) => e.join('')),
    ),
    fc.constantFrom('', '', '', ' ', '\t', '_', 'f'),
  )
  .map((parts) => parts.join(''));
const word = fc.constantFrom(
  'true',
  'FALSE',
  'yes',
  't',
  'NaN',
  'nan',
  'Infinity',
  '-Infinity',
  'inf',
  'infinity',
  'epoch',
  '0x10',
  '0b1',
  '1_000',
  'AB==',
  'AA==',
  'AAA=',
  'AAB=',
  '====',
  '03/04/2024',
  '3.4028235677973366e38',
  '3.4028235e38',
  '9223372036854775807',
  '-9223372036854775809',
);
const garbage = fc.string({ unit: fc.constantFrom(...'0123456789+-.eE_ :TZ/,='), maxLength: 24 });
const text = fc
  .oneof(
    number,
    fc.tuple(date, clock).map((parts) => parts.join('')),
    word,
    garbage,
  )
  .filter((one) => one !== '');

it.each(Object.values(TYPES).filter(({ kind }) => kind !== 'string'))('a text of a file as %j', async (type) => {
  const cast = castSql('x', 'VARCHAR', type) as string;
  // Of what is not refused the cast must stop at nothing.
  const isBad = badValueSql('x', 'VARCHAR', type)?.isBad ?? 'false';
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 200, maxLength: 200 }), async (texts) => {
      const rows = texts.map((one, at) => `(${at}, ${quoteText(one)})`).join(', ');
      const read = await world.select(
        `SELECT CASE WHEN NOT ${isBad} THEN ${cast} END, ${isBad} FROM (VALUES ${rows}) t(n, x) ORDER BY n`,
      );
      const json = (value: Value | typeof INVALID): unknown => (value === INVALID ? 'refused' : toJson(type, value));
      texts.forEach((one, at) => {
        const [value = null, isRefused] = read[at] ?? [];
        const got = value === null ? 'refused' : json(fromDuck(type, value));
        expect([one, got, isRefused]).toEqual([one, json(pushed(type, one)), pushed(type, one) === INVALID]);
      });
    }),
    { numRuns: runs(20), endOnFailure: true },
  );
});
