// Texts as values, in SQL: which forms a push takes, and what of them DuckDB's own casts get wrong. A look costs as much as several
// casts do: the usual form of each type is tried first.

import { type DataType, typeName } from '../../core/index.ts';
import { quoteText } from '../../storage/index.ts';

export interface Refusal {
  /** Whether a value is refused that `value` would change in silence. Null or false for a null. */
  when(expression: string): string;
  /** A sentence goes on so after the value. */
  readonly why: string;
}

/** From one of DuckDB's types to another: functions from an expression to SQL. */
export interface Cast {
  /** Of a value that is not refused, or null. */
  value(expression: string): string;
  /** Values in their usual form, which cost one look: none of them is refused, but `value` may stop the query. */
  readonly usual?: { when(expression: string): string; value(expression: string): string };
  readonly refusals: readonly Refusal[];
  /** Whether `value` stops the query; undefined where it never does. */
  fails?(expression: string): string;
}

export function plainCast(expression: string, to: string): string {
  return `CAST(${expression} AS ${to})`;
}

// As constants, which cost nothing to make for each row.
export const isFar = (time: string): string =>
  `${time} NOT BETWEEN TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'`;

type Scalar = Exclude<DataType, { readonly kind: 'list' | 'vector' }>;

// The forms of text. `\.?` and a point first are what some programs write; a push has them from a number of JSON, in one form.
const NUMBER = '[+-]?(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?';
const WHOLE = '[+-]?[0-9]+';
const DAY = '[0-9]{4}-[0-9]{2}-[0-9]{2}';
const MINUTE = '(?:[01][0-9]|2[0-3]):[0-5][0-9]';
const OFFSET = '[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?';
/** Times that DuckDB reads as they are: in UTC, and with an offset. */
const UTC_TIME = `${DAY}(?:[T ]${MINUTE}(?::[0-5][0-9](?:\\.[0-9]{1,9})?Z?)?)?`;
const OFFSET_TIME = `${DAY}[T ]${MINUTE}:[0-5][0-9](?:\\.[0-9]{1,9})?${OFFSET}`;
/** Every form that a push takes. */
const ANY_TIME = `\\s*${DAY}(?:[T ]${MINUTE}(?::[0-5][0-9](?:[.,][0-9]{1,9})?)?\\s*(?:[Zz]|${OFFSET})?)?\\s*`;
const BASE64 = '(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?';

const fits = (text: string, form: string): string => `regexp_full_match(${text}, ${quoteText(form)})`;

/** What to write, for the error about a value of DuckDB's type `from`. */
export function formOf(from: string, { kind }: DataType): string {
  if (from !== 'VARCHAR') return '';
  switch (kind) {
    case 'bool':
      return ': write true or false';
    case 'timestamp':
      return ': write it as 2024-01-31T10:00:00Z';
    case 'bytes':
      return ': write base64';
    default:
      return '';
  }
}

/** Of a text as a value of `type`, which is no list and no vector, and DuckDB's `to`. */
export function scalarText(type: Scalar, to: string): Cast {
  const why = ` is no ${typeName(type)}${formOf('VARCHAR', type)}`;
  const unless = (when: (text: string) => string): Refusal => ({ when: (text) => `NOT ${when(text)}`, why });
  switch (type.kind) {
    case 'string':
      return { value: (text) => text, refusals: [] };
    case 'bool':
      return {
        value: (text) => plainCast(text, to),
        usual: { when: (text) => `${text} IN ('true', 'false')`, value: (text) => `${text} = 'true'` },
        refusals: [unless((text) => `lower(${text}) IN ('true', 'false')`)],
      };
    case 'int32':
    case 'int64':
      return wholeText(to, why);
    case 'float32':
    case 'float64': {
      // A float32 is rounded from a double, as of a push.
      const value = (text: string): string =>
        type.kind === 'float64' ? plainCast(text, to) : plainCast(plainCast(text, 'DOUBLE'), to);
      const isFinite = (text: string): string => `(${fits(text, NUMBER)} AND isfinite(TRY_CAST(${text} AS DOUBLE)))`;
      return {
        value,
        usual: { when: isUsualNumber, value },
        refusals: [unless((text) => `(${text} IN ('NaN', 'Infinity', '-Infinity') OR ${isFinite(text)})`)],
        fails: (text) => `TRY_CAST(TRY_CAST(${text} AS DOUBLE) AS ${to}) IS NULL`,
      };
    }
    case 'bytes':
      return { value: (text) => `from_base64(${text})`, refusals: [unless((text) => fits(text, BASE64))] };
    case 'timestamp':
      return timeText(why);
  }
}

// What DuckDB reads as a finite number, less what only DuckDB does: underscores, white space around it, a second sign. (Before "-" come
// white space and "+".) It costs half of what a regular expression does.
function isUsualNumber(text: string): string {
  const ends = [9, 10, 11, 12, 13, 32].map((space) => `NOT suffix(${text}, chr(${space}))`);
  return `(isfinite(TRY_CAST(${text} AS DOUBLE)) AND ${text} >= '-' AND NOT contains(${text}, '_') AND ${ends.join(' AND ')})`;
}

// Floats are written with a point or an exponent, whole ones too.
function wholeText(to: string, why: string): Cast {
  const double = (text: string): string => `TRY_CAST(${text} AS DOUBLE)`;
  return {
    value: (text) =>
      `CASE WHEN ${fits(text, WHOLE)} THEN ${plainCast(text, to)} ELSE ${plainCast(plainCast(text, 'DOUBLE'), to)} END`,
    usual: { when: (text) => fits(text, WHOLE), value: (text) => plainCast(text, to) },
    refusals: [
      {
        when: (text) =>
          `NOT ${fits(text, WHOLE)} AND (NOT ${fits(text, NUMBER)} OR ${fractionInText(text)} OR NOT coalesce(isfinite(${double(text)}), false))`,
        why,
      },
      {
        when: (text) => `NOT ${fits(text, WHOLE)} AND abs(${double(text)}) >= ${2 ** 53}`,
        why: ' is a float past 2^53, which may have lost its last digits: write it without a point and an exponent',
      },
    ],
    fails: (text) => `TRY_CAST(${text} AS ${to}) IS NULL`,
  };
}

/**
 * Whether a text holds a number with a fraction: by its digits, as a double would lose that of a large one; by the
 * double's value where there is an exponent (15e-1). Null for a null.
 */
export function fractionInText(expression: string): string {
  const double = `TRY_CAST(${expression} AS DOUBLE)`;
  return (
    `(regexp_full_match(${expression}, '\\s*[+-]?[0-9_]*\\.[0-9_]*[1-9][0-9_]*\\s*') OR ` +
    `(regexp_matches(${expression}, '[eE]') AND coalesce(${double} <> trunc(${double}), false)))`
  );
}

// Straight to TIMESTAMP, an offset in the text would be passed over.
function timeText(why: string): Cast {
  const utc = (text: string): string => plainCast(plainCast(text, 'TIMESTAMPTZ'), 'TIMESTAMP');
  const known = (text: string, time: string): string => `(${text} >= '0001' AND ${time} IS NOT NULL)`;
  const tried = (text: string): string => `TRY_CAST(TRY_CAST(${text} AS TIMESTAMPTZ) AS TIMESTAMP)`;
  const moved = (text: string): string => `(${tried(text)} IS NOT NULL AND NOT ${isFar(tried(text))})`;
  return {
    value: (text) =>
      `CASE WHEN ${fits(text, UTC_TIME)} THEN ${plainCast(text, 'TIMESTAMP')} ` +
      `WHEN ${fits(text, OFFSET_TIME)} THEN ${utc(text)} ELSE ${utc(usualTime(text))} END`,
    usual: {
      when: (text) => `(${fits(text, UTC_TIME)} AND ${text} >= '0001')`,
      value: (text) => plainCast(text, 'TIMESTAMP'),
    },
    refusals: [
      {
        when: (text) =>
          `NOT CASE WHEN ${fits(text, UTC_TIME)} THEN ${known(text, `TRY_CAST(${text} AS TIMESTAMP)`)} ` +
          `WHEN ${fits(text, ANY_TIME)} THEN ${moved(usualTime(text))} ELSE false END`,
        why,
      },
    ],
  };
}

// The same time as DuckDB reads it: with seconds, a point, a Z, and no space before a zone.
function usualTime(text: string): string {
  const replaced = (of: string, what: string, by: string): string =>
    `regexp_replace(${of}, ${quoteText(what)}, ${quoteText(by)})`;
  const trimmed = replaced(replaced(text, '^\\s+', ''), '\\s*([Zz]?|[+-][0-9:]+)\\s*$', '\\1');
  return `upper(replace(${replaced(trimmed, '([T ][0-9]{2}:[0-9]{2})($|[Zz+-])', '\\1:00\\2')}, ',', '.'))`;
}
