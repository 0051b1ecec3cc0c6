// The first value of a spine that cannot be what its column is declared to be, in one sentence.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Field, HeadraceError, typeName } from '../../core/index.ts';
import { quoteName } from '../../storage/index.ts';
import { duckType, fractionIn, fractionInText, isFraction, lostDigits } from '../sources/sql-text.ts';

/** `from` is a relation in SQL; `types` are DuckDB's types of its columns by name in lower case. */
export async function findBadValue(
  connection: DuckDBConnection,
  from: string,
  types: ReadonlyMap<string, string>,
  columns: readonly Field[],
): Promise<HeadraceError | undefined> {
  for (const { name, type } of columns) {
    const found = types.get(name.toLowerCase()) ?? '';
    const column = quoteName(name);
    const bad = found === 'VARCHAR' ? badText(column, type) : badNumber(column, found, type);
    if (bad === undefined) continue;
    const lost = type.kind === 'int32' || type.kind === 'int64' ? lostDigits(found) : undefined;
    const reader = await connection.runAndReadAll(
      `SELECT CAST(${column} AS VARCHAR), __hr_row, ${lost?.in(column) ?? 'false'} FROM (SELECT *, row_number() OVER () AS __hr_row FROM ${from}) WHERE ${bad} ORDER BY __hr_row LIMIT 1`,
    );
    const [row] = reader.getRows();
    if (row === undefined) continue;
    const text = String(row[0]).slice(0, 100);
    const value = /^[-+.\w]*\d[-+.\w]*$/.test(text) ? text : JSON.stringify(text);
    return new HeadraceError(
      'HR_SPINE',
      row[2] === true && lost !== undefined
        ? `the spine's column "${name}", row ${String(row[1])}: ${value} is ${lost.sentence}.`
        : `the spine's column "${name}", row ${String(row[1])}: ${value} is no ${typeName(type)}. Correct the value, or leave it empty for null.`,
    );
  }
  return undefined;
}

// A fraction for a whole number: NaN and infinity are none either.
function badNumber(column: string, from: string, type: Field['type']): string | undefined {
  if (!isFraction(from) || (type.kind !== 'int32' && type.kind !== 'int64')) return undefined;
  const lost = lostDigits(from)?.in(column) ?? 'false';
  return `${column} IS NOT NULL AND (${lost} OR ${fractionIn(column)} OR TRY_CAST(${column} AS ${duckType(type)}) IS NULL)`;
}

// Of other types, those that could not be the column's were refused by their name before.
function badText(column: string, type: Field['type']): string | undefined {
  switch (type.kind) {
    case 'string':
    case 'bytes':
      return undefined;
    case 'int32':
    case 'int64':
      return `${column} IS NOT NULL AND (TRY_CAST(${column} AS ${duckType(type)}) IS NULL OR coalesce(${fractionInText(column)}, false) OR ${lostDigits('VARCHAR')?.in(column)})`;
    case 'timestamp':
      return `${column} IS NOT NULL AND TRY_CAST(${column} AS TIMESTAMPTZ) IS NULL`;
    default:
      return `${column} IS NOT NULL AND TRY_CAST(${column} AS ${duckType(type)}) IS NULL`;
  }
}
