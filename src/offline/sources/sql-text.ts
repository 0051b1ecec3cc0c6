// SQL text from values and types: DuckDB's names of our types, and casts that never change a value.

import { type DataType, typeName, type Value } from '../../core/index.ts';
import { nodeDuckType, quoteText } from '../../storage/index.ts';
import { type WholeNumbers, wholeNumbersOf } from './whole-numbers.ts';

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
      return INTEGERS.has(from) ? plainCast(expression, to) : wholeCast(expression, wholeNumbersOf(from), type);
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

function isFraction(type: string): boolean {
  return type === 'FLOAT' || type === 'DOUBLE' || type.startsWith('DECIMAL');
}

function plainCast(expression: string, to: string): string {
  return `CAST(${expression} AS ${to})`;
}

// CAST rounds 1.5 to 2 in silence, as a number and as text; a declared integer that isn't one is a mistake to be seen.
function wholeCast(expression: string, whole: WholeNumbers | undefined, type: DataType): string | undefined {
  if (whole === undefined) return undefined;
  const start = `${quoteText(`column ${expression}: `)} || CAST(${expression} AS VARCHAR)`;
  return (
    `CASE WHEN ${whole.hasFraction(expression)} THEN error(${start} || ' is no ${typeName(type)}') ` +
    `WHEN ${whole.hasLost(expression)} THEN error(${start} || ${quoteText(` is ${whole.lost}`)}) ` +
    `ELSE ${plainCast(expression, duckType(type))} END`
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
