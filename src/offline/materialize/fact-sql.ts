// SQL over a view's facts that several steps of a run share: its keys, the order of rows, and columns in forms that are
// quick to read.

import type { DataType } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { ViewCodec } from '../../online/index.ts';
import { quoteName } from '../../storage/index.ts';
import { duckType, timeNumberSql } from '../sources/sql-text.ts';

/** Names of the key columns that `keyed` adds, in the entity's order. */
export function keyNames({ keyTypes }: ViewCodec): string[] {
  return keyTypes.map((_, i) => `__hr_k${i}`);
}

/** The rows of a relation of facts with their keys in the entity's types; nulls are in it too. */
export function keyed(codec: ViewCodec, relation: string): string {
  const keys = codec.view.keyColumns.map((column, i) => {
    return `CAST(${quoteName(column)} AS ${duckType(keyType(codec, i))}) AS __hr_k${i}`;
  });
  return `(SELECT *, ${keys.join(', ')} FROM ${relation})`;
}

/** Whether a row matches anything: of a relation that `keyed` gave. */
export function isWhole(codec: ViewCodec): string {
  return [...keyNames(codec), '__hr_known'].map((name) => `${name} IS NOT NULL`).join(' AND ');
}

/** `a` and `b` are aliases of two relations with keys. */
export function sameKey(codec: ViewCodec, a: string, b: string): string {
  return keyNames(codec)
    .map((name) => `${a}.${name} = ${b}.${name}`)
    .join(' AND ');
}

export function keyType({ keyTypes }: ViewCodec, index: number): DataType {
  // One type per key column: the manifest was validated.
  return keyTypes[index] as DataType;
}

/** Ascending, what decides between rows that tie in event time and known time; the row's content comes last. */
export function tieOrder(
  { createdOrder, columns }: SourceSpec,
  direction: 'ASC NULLS FIRST' | 'DESC NULLS LAST',
): string[] {
  const created = createdOrder === undefined ? [] : [quoteName(createdOrder)];
  const signs = direction === 'ASC NULLS FIRST' ? 'DESC' : 'ASC';
  return [
    ...[...created, '__hr_writer', '__hr_offset'].map((name) => `${name} ${direction}`),
    ...columns.flatMap(({ name, type }) => {
      const content = `${quoteName(name)} ${direction}`;
      // −0 and 0 are equal to DuckDB, and two values to compareValues: −0 is the lesser.
      const isFloat = type.kind === 'float32' || type.kind === 'float64';
      return isFloat ? [content, `signbit(${quoteName(name)}) ${signs}`] : [content];
    }),
  ];
}

/** A column as a stream carries it: times as numbers, which read as they lie. */
export function streamed(expression: string, type: DataType): string {
  return type.kind === 'timestamp' ? timeNumberSql(expression) : expression;
}

/** The type that a `streamed` column is read as. */
export function streamedType(type: DataType): DataType {
  return type.kind === 'timestamp' ? { kind: 'float64' } : type;
}

/** A key column as a stream carries it: text as its bytes. */
export function streamedKey(name: string, type: DataType): string {
  return type.kind === 'string' ? `encode(${name})` : streamed(name, type);
}

/** Type of a source's column, declared or derived. The manifest was validated: it exists. */
export function columnType(source: SourceSpec, name: string): DataType {
  const found = [...source.columns, ...source.derive].find((column) => column.name === name);
  return (found as NonNullable<typeof found>).type;
}

/** Whether a row is a tombstone. */
export function isDeletedSql({ tombstone }: SourceSpec): string {
  return tombstone === undefined ? 'false' : `coalesce(${quoteName(tombstone)}, false)`;
}
