// SQL text from values and types: DuckDB's names of our types, and casts that never change a value.

import { type DataType, typeName, type Value } from '../../core/index.ts';
import { nodeDuckType, quoteText } from '../../storage/index.ts';

/** A value of a type that keys can have, not null. */
export function literalSql(type: DataType, value: Value): string {
  const base64 = (bytes: Uint8Array): string => `from_base64('${Buffer.from(bytes).toString('base64')}')`;
  switch (type.kind) {
    case 'timestamp':
      return `make_timestamp(${String(value)})`;
    case 'bytes':
      return base64(value as Uint8Array);
    case 'string':
      // Any text, a NUL too.
      return `decode(${base64(Buffer.from(value as string))})`;
    default:
      return plainCast(quoteText(Object.is(value, -0) ? '-0' : String(value)), duckType(type));
  }
}

/** DuckDB's type for ours. */
export function duckType(type: DataType): string {
  return String(nodeDuckType(type));
}

/**
 * `expression`, a column that has DuckDB type `from`, as a value of `type`; undefined when no cast keeps its meaning.
 * A zone is turned to UTC, nanoseconds are cut (not rounded) to microseconds, a fraction never becomes an integer, nor does a
 * float that is too great to tell one whole number from the next.
 */
export function castSql(expression: string, from: string, type: DataType): string | undefined {
  const to = duckType(type);
  if (from === to) return expression;
  switch (type.kind) {
    case 'bool':
      return from === 'VARCHAR' ? plainCast(expression, to) : undefined;
    case 'int32':
    case 'int64':
      if (INTEGERS.has(from)) return plainCast(expression, to);
      if (isFraction(from)) return wholeCast(expression, fractionIn(expression), from, to, typeName(type));
      if (from === 'VARCHAR') return wholeCast(expression, fractionInText(expression), from, to, typeName(type));
      return undefined;
    case 'float32':
    case 'float64':
      return INTEGERS.has(from) || isFraction(from) || from === 'VARCHAR' ? plainCast(expression, to) : undefined;
    case 'string':
      if (from === 'BLOB') return `decode(${expression})`;
      return from === 'UUID' || from.startsWith('ENUM') || from === 'JSON' ? plainCast(expression, to) : undefined;
    case 'bytes':
      return from === 'VARCHAR' ? `from_base64(${expression})` : undefined;
    case 'timestamp':
      return timestampSql(expression, from);
    case 'list':
      return from.endsWith(']') || from === 'VARCHAR' ? plainCast(expression, to) : undefined;
    case 'vector':
      return from.endsWith(']') || from === 'VARCHAR' ? plainCast(expression, to) : undefined;
  }
}

const INTEGERS: ReadonlySet<string> = new Set([
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'HUGEINT',
  'UTINYINT',
  'USMALLINT',
  'UINTEGER',
  'UBIGINT',
  'UHUGEINT',
]);

/** Whether numbers of DuckDB's type can have a fraction. */
export function isFraction(type: string): boolean {
  return type === 'FLOAT' || type === 'DOUBLE' || type.startsWith('DECIMAL');
}

function plainCast(expression: string, to: string): string {
  return `CAST(${expression} AS ${to})`;
}

// CAST rounds 1.5 to 2 in silence, as a number and as text; a declared integer that isn't one is a mistake to be seen.
function wholeCast(expression: string, isFractional: string, from: string, to: string, name: string): string {
  const start = `${quoteText(`column ${expression}: `)} || CAST(${expression} AS VARCHAR)`;
  const lost = lostDigits(from);
  const lossy =
    lost === undefined
      ? ''
      : ` WHEN ${lost.in(expression)} THEN error(${start} || ${quoteText(` is ${lost.sentence}`)})`;
  return `CASE WHEN ${isFractional} THEN error(${start} || ' is no ${name}')${lossy} ELSE CAST(${expression} AS ${to}) END`;
}

/** Whether a number, of a float's or decimal's type, has a fraction. */
export function fractionIn(expression: string): string {
  return `${expression} <> trunc(${expression})`;
}

/**
 * Past the whole numbers that a float tells apart, an id is its neighbour's: 9007199254740993 became 9007199254740992 on its way
 * (pandas makes a column with nulls so, and writes its floats to CSV with a point or an exponent). Undefined for types that
 * keep all digits.
 */
export function lostDigits(from: string): { in(expression: string): string; readonly sentence: string } | undefined {
  if (from === 'VARCHAR')
    return {
      in: (expression) =>
        `(regexp_matches(${expression}, '[.eE]') AND coalesce(abs(TRY_CAST(${expression} AS DOUBLE)) >= ${2 ** 53} AND NOT ${fractionInText(expression)}, false))`,
      sentence: 'a float past 2^53, which may have lost its last digits: write it without a point and an exponent',
    };
  const digits = { DOUBLE: 53, FLOAT: 24 }[from];
  if (digits === undefined) return undefined;
  const float = from === 'DOUBLE' ? 'float64' : 'float32';
  return {
    in: (expression) => `(abs(${expression}) >= ${2 ** digits} AND isfinite(${expression}))`,
    sentence: `a ${float} past 2^${digits}, which has lost its last digits: give whole numbers, or text`,
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

function timestampSql(expression: string, from: string): string | undefined {
  switch (from) {
    case 'TIMESTAMP_NS': {
      // The plain cast cuts towards zero, which before 1970 is towards the future.
      const nanos = `epoch_ns(${expression})`;
      return `make_timestamp((${nanos} - ((${nanos} % 1000) + 1000) % 1000) // 1000)`;
    }
    case 'TIMESTAMP WITH TIME ZONE':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'DATE':
      return plainCast(expression, 'TIMESTAMP');
    case 'VARCHAR':
      // Straight to TIMESTAMP, a zone in the text would be passed over; without one it is UTC either way.
      return plainCast(plainCast(expression, 'TIMESTAMPTZ'), 'TIMESTAMP');
    default:
      return undefined;
  }
}
