// Lists that a database gives as JSON. A cast of DuckDB's makes null of an item that it can't turn, and rounds fractions to
// integers, both in silence: so items are checked by what JSON has them as.

import type { DataType } from '../../../core/index.ts';

/** Whether items of a list may come as JSON: lists of lists would be checked at their top alone, and JSON has no bytes. */
export const isJsonElement = (type: DataType): boolean => KINDS[type.kind] !== undefined;

/** By the names of DuckDB's json_type. */
const KINDS: Readonly<Partial<Record<DataType['kind'], string>>> = {
  bool: "'BOOLEAN'",
  int32: "'BIGINT', 'UBIGINT'",
  int64: "'BIGINT', 'UBIGINT'",
  // A text for NaN and infinities, which JSON has no numbers for.
  float32: "'BIGINT', 'UBIGINT', 'DOUBLE', 'VARCHAR'",
  float64: "'BIGINT', 'UBIGINT', 'DOUBLE', 'VARCHAR'",
  string: "'VARCHAR'",
  timestamp: "'VARCHAR'",
};

/** Whether `cast` is what `list`, a JSON[], says: every item of the right kind, and none turned to nothing. */
export function jsonListCheck(list: string, cast: string, type: DataType): string {
  const kinds = KINDS[type.kind === 'list' ? type.of.kind : 'float32'] ?? "'NULL'";
  const areKind = `list_bool_and(list_transform(${list}, lambda item: item IS NULL OR json_type(item) IN (${kinds}, 'NULL')))`;
  // Not on an array of fixed length: list_filter takes lists.
  const nulls = (of: string): string => `len(list_filter(${of}, lambda item: item IS NULL))`;
  const asList = type.kind === 'vector' ? `CAST(${cast} AS FLOAT[])` : cast;
  const jsonNulls = `len(list_filter(${list}, lambda item: item IS NULL OR json_type(item) = 'NULL'))`;
  return `coalesce(${areKind}, true) AND ${nulls(asList)} = ${jsonNulls}`;
}
