// The first value of a spine that cannot be what its column is declared to be, in one sentence.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Field, HeadraceError } from '../../core/index.ts';
import { quoteName } from '../../storage/index.ts';
import { badValueSql } from '../sources/sql-text.ts';

/** `from` is a relation in SQL; `types` are DuckDB's types of its columns by name in lower case. */
export async function findBadValue(
  connection: DuckDBConnection,
  from: string,
  types: ReadonlyMap<string, string>,
  columns: readonly Field[],
): Promise<HeadraceError | undefined> {
  for (const { name, type } of columns) {
    const column = quoteName(name);
    const bad = badValueSql(column, types.get(name.toLowerCase()) ?? '', type);
    if (bad === undefined) continue;
    const reader = await connection.runAndReadAll(
      `SELECT CAST(${column} AS VARCHAR), __hr_row, ${bad.why} FROM (SELECT *, row_number() OVER () AS __hr_row FROM ${from}) WHERE ${column} IS NOT NULL AND ${bad.isBad} ORDER BY __hr_row LIMIT 1`,
    );
    const [row] = reader.getRows();
    if (row === undefined) continue;
    const text = String(row[0]).slice(0, 100);
    const value = /^[-+.\w]*\d[-+.\w]*$/.test(text) ? text : JSON.stringify(text);
    const [why, advice] = [String(row[2]), ' Correct the value, or leave it empty for null.'];
    return new HeadraceError(
      'HR_SPINE',
      `the spine's column "${name}", row ${String(row[1])}: ${value}${why}.${/: give|: write/.test(why) ? '' : advice}`,
    );
  }
  return undefined;
}
