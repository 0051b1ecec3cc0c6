// Derived columns written in SQL, for pushed rows: the rows go through an in-memory DuckDB as JSON, so that the same
// text gives the same value as offline.

import {
  type DataType,
  HeadraceError,
  INVALID,
  parseJson,
  parseValue,
  type Row,
  stringifyJson,
  toJson,
  type Value,
} from '../core/index.ts';
import type { DeriveSpec, SourceSpec } from '../definitions/index.ts';
import type { DuckDb } from '../storage/index.ts';

/** Adds the values of `specs` to each row. Throws HR_TRANSFORM_FAILED with DuckDB's own words. */
export async function deriveBySql(
  duckdb: DuckDb,
  source: SourceSpec,
  specs: readonly DeriveSpec[],
  rows: readonly Row[],
): Promise<Row[]> {
  const given = stringifyJson(
    rows.map((row, at) => ({
      __hr_at: at,
      ...Object.fromEntries(source.columns.map(({ name, type }) => [name, toJson(type, row[name] ?? null)])),
    })),
  );
  const shape = stringifyJson([
    { __hr_at: 'BIGINT', ...Object.fromEntries(source.columns.map(({ name, type }) => [name, readType(type)])) },
  ]);
  const columns = source.columns.map(({ name, type }) =>
    type.kind === 'bytes' ? `from_base64(${quote(name)}) AS ${quote(name)}` : quote(name),
  );
  const results = specs.map((spec) => {
    if (spec.by.kind !== 'sql') throw new TypeError(`column ${spec.name} is no SQL`);
    const value = `CAST((${spec.by.sql}) AS ${sqlType(spec.type)})`;
    return `${literal(spec.name)}: ${spec.type.kind === 'bytes' ? `to_base64(${value})` : value}`;
  });
  const query =
    `SELECT CAST(to_json({${results.join(', ')}}) AS VARCHAR) FROM (SELECT __hr_at, ${columns.join(', ')} FROM ` +
    `(SELECT unnest(from_json(CAST($1 AS JSON), ${literal(shape)}), max_depth := 2))) ORDER BY __hr_at`;
  const connection = await duckdb.connect();
  try {
    const reader = await connection.runAndReadAll(query, [given]);
    return reader.getRows().map(([text], at) => ({ ...(rows[at] as Row), ...readResult(specs, String(text)) }));
  } catch (thrown) {
    if (thrown instanceof HeadraceError) throw thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HeadraceError('HR_TRANSFORM_FAILED', `derived columns of source "${source.name}" failed: ${message}`, {
      cause: thrown,
    });
  } finally {
    connection.closeSync();
  }
}

function readResult(specs: readonly DeriveSpec[], text: string): Record<string, Value> {
  const result = parseJson(text) as Readonly<Record<string, unknown>>;
  const values: Record<string, Value> = {};
  for (const { name, type } of specs) {
    const value = parseValue(type, result[name]);
    if (value === INVALID)
      throw new HeadraceError('HR_TRANSFORM_FAILED', `derived column "${name}" gave ${String(result[name])}`);
    values[name] = value;
  }
  return values;
}

const SQL_TYPES = {
  bool: 'BOOLEAN',
  int32: 'INTEGER',
  int64: 'BIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
  string: 'VARCHAR',
  bytes: 'BLOB',
  timestamp: 'TIMESTAMP',
} as const;

function sqlType(type: DataType): string {
  switch (type.kind) {
    case 'list':
      return `${sqlType(type.of)}[]`;
    case 'vector':
      return `FLOAT[${type.size}]`;
    default:
      return SQL_TYPES[type.kind];
  }
}

// In JSON bytes are base64 text.
function readType(type: DataType): string {
  return type.kind === 'bytes' ? 'VARCHAR' : sqlType(type);
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
