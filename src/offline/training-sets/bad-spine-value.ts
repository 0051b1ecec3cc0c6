// The first value of a spine that cannot be what its column is declared to be, in one sentence.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Field, HeadraceError, typeName } from '../../core/index.ts';
import { quoteName } from '../../storage/index.ts';
import { duckType } from '../sources/sql-text.ts';
import { isNoWhole, type WholeNumbers, wholeNumbersOf } from '../sources/whole-numbers.ts';

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
    const whole = wholeOf(found, type);
    const bad = badValueSql(column, found, type);
    if (bad === undefined) continue;
    const reader = await connection.runAndReadAll(
      `SELECT CAST(${column} AS VARCHAR), __hr_row, ${whole?.hasLost(column) ?? 'false'} FROM (SELECT *, row_number() OVER () AS __hr_row FROM ${from}) WHERE ${column} IS NOT NULL AND ${bad} ORDER BY __hr_row LIMIT 1`,
    );
    const [row] = reader.getRows();
    if (row === undefined) continue;
    const text = String(row[0]).slice(0, 100);
    const value = /^[-+.\w]*\d[-+.\w]*$/.test(text) ? text : JSON.stringify(text);
    return new HeadraceError(
      'HR_SPINE',
      row[2] === true && whole !== undefined
        ? `the spine's column "${name}", row ${String(row[1])}: ${value} is ${whole.lost}.`
        : `the spine's column "${name}", row ${String(row[1])}: ${value} is no ${typeName(type)}. Correct the value, or leave it empty for null.`,
    );
  }
  return undefined;
}

/** Whether a value of a column of DuckDB's type `from` can't be of `type`; undefined where every value can. Null for a null. */
export function badValueSql(column: string, from: string, type: Field['type']): string | undefined {
  const whole = wholeOf(from, type);
  return whole === undefined ? badText(column, from, type) : isNoWhole(whole, column, duckType(type));
}

function wholeOf(from: string, type: Field['type']): WholeNumbers | undefined {
  return type.kind === 'int32' || type.kind === 'int64' ? wholeNumbersOf(from) : undefined;
}

// Of other types, those that could not be the column's were refused by their name before.
function badText(column: string, from: string, type: Field['type']): string | undefined {
  if (from !== 'VARCHAR' || type.kind === 'string' || type.kind === 'bytes') return undefined;
  return `TRY_CAST(${column} AS ${type.kind === 'timestamp' ? 'TIMESTAMPTZ' : duckType(type)}) IS NULL`;
}
