// Which of Snowflake's types can be which of ours, and how a column is asked for so that its text is exact.

import type { DataType } from '../../../core/index.ts';
import type { TablePart } from '../../../definitions/index.ts';
import { quoteName } from '../../../storage/index.ts';
import type { FoundColumn, Wire } from '../databases/database.ts';
import { isJsonElement } from '../databases/json-lists.ts';
import type { SnowflakeColumn } from './load-sdk.ts';

/** A name without quotes is one in capitals there: as Snowflake has it, so it is written. */
export function quoteSnowflakePart({ name, isQuoted }: TablePart): string {
  return !isQuoted && /^[A-Za-z_][\w$]*$/.test(name) ? name : quoteName(name);
}

export function columnOf(column: SnowflakeColumn): FoundColumn {
  const [name, type, scale] = [column.getName(), column.getType().toLowerCase(), column.getScale() ?? 0];
  return {
    name,
    type: type === 'fixed' ? `number${scale === 0 ? '' : ` with ${scale} digits behind the point`}` : type,
    wireAs: (declared) => wireOf(quoteName(name), type, scale, declared),
    momentSql: (utc) => momentSql(type, utc),
    suggested: suggestedOf(type, scale),
  };
}

const TIME_FORMAT = "'YYYY-MM-DD HH24:MI:SS.FF6'";
const JSON_TYPES = new Set(['variant', 'object', 'array']);

function wireOf(column: string, type: string, scale: number, declared: DataType): Wire | undefined {
  switch (declared.kind) {
    case 'bool':
      return type === 'boolean' ? { sql: `TO_VARCHAR(${column})`, form: 'bool' } : undefined;
    case 'int32':
    case 'int64':
    case 'float32':
    case 'float64':
      if (type === 'fixed') return { sql: `TO_VARCHAR(${column})`, form: scale === 0 ? 'int' : 'decimal' };
      // As it is: the text of the result has more digits than that of a cast.
      return type === 'real' ? { sql: column, form: 'float64' } : undefined;
    case 'string':
      if (JSON_TYPES.has(type)) return { sql: `TO_JSON(${column})`, form: 'text' };
      return type === 'text' ? { sql: column, form: 'text' } : undefined;
    case 'bytes':
      return type === 'binary' ? { sql: `HEX_ENCODE(${column})`, form: 'hex' } : undefined;
    case 'timestamp':
      return timeWire(column, type);
    case 'vector':
      if (type === 'vector') return { sql: `TO_JSON(${column}::ARRAY)`, form: 'json' };
      return type === 'array' || type === 'variant' ? { sql: `TO_JSON(${column})`, form: 'json' } : undefined;
    case 'list':
      if (!isJsonElement(declared.of)) return undefined;
      return type === 'array' || type === 'variant' ? { sql: `TO_JSON(${column})`, form: 'json' } : undefined;
  }
}

function timeWire(column: string, type: string): Wire | undefined {
  switch (type) {
    case 'date':
      return { sql: `TO_VARCHAR(${column}, 'YYYY-MM-DD')`, form: 'timestamp' };
    case 'timestamp_ntz':
      return { sql: `TO_VARCHAR(${column}, ${TIME_FORMAT})`, form: 'timestamp' };
    case 'timestamp_ltz':
    case 'timestamp_tz':
      return { sql: `TO_VARCHAR(CONVERT_TIMEZONE('UTC', ${column}), ${TIME_FORMAT})`, form: 'timestamp' };
    default:
      return undefined;
  }
}

function momentSql(type: string, utc: string): string | undefined {
  if (type === 'date' || type === 'timestamp_ntz') return `'${utc}'::TIMESTAMP_NTZ`;
  return type === 'timestamp_ltz' || type === 'timestamp_tz' ? `'${utc} +00:00'::TIMESTAMP_TZ` : undefined;
}

function suggestedOf(type: string, scale: number): DataType | undefined {
  if (type === 'fixed') return scale === 0 ? { kind: 'int64' } : { kind: 'float64' };
  if (JSON_TYPES.has(type)) return { kind: 'string' };
  return SUGGESTED[type];
}

const SUGGESTED: Readonly<Record<string, DataType>> = {
  boolean: { kind: 'bool' },
  real: { kind: 'float64' },
  text: { kind: 'string' },
  binary: { kind: 'bytes' },
  date: { kind: 'timestamp' },
  timestamp_ntz: { kind: 'timestamp' },
  timestamp_ltz: { kind: 'timestamp' },
  timestamp_tz: { kind: 'timestamp' },
};
