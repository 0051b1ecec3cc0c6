// Which of Postgres's types can be which of ours, and how a column is asked for so that its text is exact.

import type { DataType } from '../../../core/index.ts';
import { quoteName } from '../../../storage/index.ts';
import type { FoundColumn, TextForm, Wire } from '../databases/database.ts';
import { isJsonElement } from '../databases/json-lists.ts';

export interface PostgresType {
  /** Its name in pg_type; an array's begins with `_`. */
  readonly name: string;
  readonly isEnum: boolean;
  /** As SQL writes it. */
  readonly shown: string;
}

export function columnOf(name: string, type: PostgresType): FoundColumn {
  return {
    name,
    type: type.shown,
    wireAs: (declared) => wireOf(quoteName(name), type, declared),
    momentSql: (utc) => momentSql(type, utc),
    suggested: suggestedOf(type),
  };
}

const INTEGERS = new Set(['int2', 'int4', 'int8', 'oid']);
const FLOATS: Readonly<Record<string, TextForm>> = { float4: 'float32', float8: 'float64', numeric: 'decimal' };
const TEXTS = new Set(
  'text varchar bpchar char name citext uuid json jsonb xml inet cidr macaddr macaddr8 ltree super'.split(' '),
);
/** Of the extension pgvector. */
const VECTORS = new Set(['vector', 'halfvec']);

function wireOf(column: string, type: PostgresType, declared: DataType): Wire | undefined {
  const { name } = type;
  switch (declared.kind) {
    case 'bool':
      return name === 'bool' ? { sql: `${column}::int`, form: 'bool' } : undefined;
    case 'int32':
    case 'int64':
    case 'float32':
    case 'float64':
      if (INTEGERS.has(name)) return { sql: column, form: 'int' };
      return FLOATS[name] === undefined ? undefined : { sql: column, form: FLOATS[name] };
    case 'string':
      return TEXTS.has(name) || type.isEnum ? { sql: column, form: 'text' } : undefined;
    case 'bytes':
      return name === 'bytea' ? { sql: `encode(${column}, 'hex')`, form: 'hex' } : undefined;
    case 'timestamp':
      if (name === 'timestamptz') return { sql: `(${column} AT TIME ZONE 'UTC')`, form: 'timestamp' };
      return name === 'timestamp' || name === 'date' ? { sql: column, form: 'timestamp' } : undefined;
    case 'vector':
      if (VECTORS.has(name)) return { sql: `${column}::text`, form: 'json' };
      return listWire(column, type, { kind: 'float32' });
    case 'list':
      return listWire(column, type, declared.of);
  }
}

function momentSql({ name }: PostgresType, utc: string): string | undefined {
  if (name === 'timestamptz') return `TIMESTAMPTZ '${utc}+00'`;
  return name === 'timestamp' || name === 'date' ? `TIMESTAMP '${utc}'` : undefined;
}

function listWire(column: string, { name, isEnum }: PostgresType, of: DataType): Wire | undefined {
  if (!isJsonElement(of)) return undefined;
  if (name === 'json' || name === 'jsonb' || name === 'super') return { sql: column, form: 'json' };
  if (!name.startsWith('_')) return undefined;
  const element = { name: name.slice(1), isEnum, shown: '' };
  // Of a list, whole numbers are those that are declared so: 1.0 in JSON is a fraction.
  const isWhole = of.kind === 'int32' || of.kind === 'int64';
  const isGood = wireOf('', element, of) !== undefined && (!isWhole || INTEGERS.has(element.name));
  return isGood ? { sql: `array_to_json(${column})`, form: 'json' } : undefined;
}

function suggestedOf({ name, isEnum }: PostgresType): DataType | undefined {
  if (name.startsWith('_')) {
    const of = suggestedOf({ name: name.slice(1), isEnum, shown: '' });
    return of === undefined || of.kind === 'bytes' ? undefined : { kind: 'list', of };
  }
  if (isEnum || TEXTS.has(name)) return { kind: 'string' };
  return SUGGESTED[name];
}

const SUGGESTED: Readonly<Record<string, DataType>> = {
  bool: { kind: 'bool' },
  int2: { kind: 'int32' },
  int4: { kind: 'int32' },
  int8: { kind: 'int64' },
  oid: { kind: 'int64' },
  float4: { kind: 'float32' },
  float8: { kind: 'float64' },
  numeric: { kind: 'float64' },
  bytea: { kind: 'bytes' },
  date: { kind: 'timestamp' },
  timestamp: { kind: 'timestamp' },
  timestamptz: { kind: 'timestamp' },
};
