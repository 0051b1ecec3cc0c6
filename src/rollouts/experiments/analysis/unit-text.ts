// A unit as text in SQL, the same as serving makes it: a text as it stands, any other value's JSON, of several columns their
// JSON array.

import { quoteText } from '../../../storage/index.ts';

/** Of a logged request's columns. */
export function requestUnitSql(columns: readonly string[]): string {
  const path = (column: string): string => quoteText(`$."${column}"`);
  const [only] = columns;
  if (columns.length === 1 && only !== undefined) return `json_extract_string(request, ${path(only)})`;
  const parts = columns.map((column) => `coalesce(json_extract(request, ${path(column)})::VARCHAR, 'null')`);
  return `'[' || ${parts.join(` || ',' || `)} || ']'`;
}

/** Of a column that a user's SQL gives, by its type in DuckDB: whole numbers have no point, as in JSON. */
export function givenUnitSql(column: string, type: string): string {
  if (type === 'VARCHAR') return column;
  if (type === 'DOUBLE' || type === 'FLOAT' || type.startsWith('DECIMAL'))
    return `CASE WHEN ${column} = trunc(${column}) AND abs(${column}) < 1e15 THEN ${column}::BIGINT::VARCHAR ELSE ${column}::VARCHAR END`;
  return /\[|STRUCT/.test(type) ? `to_json(${column})::VARCHAR` : `${column}::VARCHAR`;
}
