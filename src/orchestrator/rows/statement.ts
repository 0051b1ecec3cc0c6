// Statements as text, put together once for a database and not each time they run; and JSON as rows of a statement, so that a
// batch is a statement a table, whatever its size.

import { CompiledQuery, type Kysely, type QueryResult } from 'kysely';
import type { DatabaseKind } from '../../storage/index.ts';

/** A database, or a transaction of it. */
export type Db = Kysely<unknown>;
export type Parameter = string | number | null;

/** `R`: a row of what it gives. */
export type Statement<R> = (db: Db, ...parameters: readonly Parameter[]) => Promise<QueryResult<R>>;

/** Parameters are `?` in their order, whatever the database. */
export function statement<R = unknown>(kind: DatabaseKind, text: string): Statement<R> {
  let count = 0;
  const sql = kind === 'postgres' ? text.replace(/\?/g, () => `$${++count}`) : text;
  return (db, ...parameters) => db.executeQuery(CompiledQuery.raw(sql, [...parameters]) as CompiledQuery<R>);
}

/** Columns by name, in the order of the cells of a row. */
export type Columns = Readonly<Record<string, 'text' | 'bigint' | 'integer'>>;

/**
 * A table `c` of two parameters, a run's id and a JSON array of rows, each an array of its cells: `c.run_id` and the columns. What
 * a row lacks at its end is null.
 */
export function rowsOfJson(kind: DatabaseKind, columns: Columns): string {
  const cells = cellsOf(kind, columns);
  return kind === 'postgres'
    ? `(select ?::text as run_id, ${cells} from jsonb_array_elements(?::jsonb)) c`
    : // Without the limit SQLite looks into it, takes the run for a constant, and walks all the run's tasks once for each row.
      `(select ? as run_id, ${cells} from json_each(?) limit -1) c`;
}

/** The cells of a JSON array by their columns' names. */
export function cellsOf(kind: DatabaseKind, columns: Columns, array = 'value'): string {
  const cellOf = (name: string, at: number): string =>
    kind === 'postgres' ? `(${array}->>${at})::${columns[name]} as ${name}` : `${array}->>${at} as ${name}`;
  return Object.keys(columns).map(cellOf).join(', ');
}

/** A table of one parameter, a JSON array of texts, by their column `value`. */
export function textsOfJson(kind: DatabaseKind): string {
  return kind === 'postgres' ? 'jsonb_array_elements_text(?::jsonb) texts(value)' : 'json_each(?)';
}

/** As a database takes it: Postgres knows neither NUL nor half of a surrogate pair, which a program's output may hold. */
export function storable(text: string): string;
export function storable(text: string | null): string | null;
export function storable(text: string | null): string | null {
  return text === null ? null : text.replaceAll('\0', '\ufffd').toWellFormed();
}
