// Full ties of latest rows: same key, event time and known time. Such rows become visible together, so the winner of
// a group is the same for every point; only groups that some point took are looked at.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { FactsRelation } from '../facts/facts.ts';
import type { ReadPlan } from '../plan.ts';
import { quoteName } from '../../storage/index.ts';
import { keyCondition } from './point-keys.ts';

/**
 * Gives the table `result`: `winners` with each group's named row replaced by its greatest one, by (created order, place
 * in the log, declared columns in declared order, nulls first). `ties` is a table of groups: `__hr_named`, `__hr_key`,
 * `__hr_event` and `__hr_known`; two may be the same one by another name.
 */
export async function resolveTies(
  connection: DuckDBConnection,
  read: ReadPlan,
  winners: string,
  ties: string,
  keys: string,
  { source, relation }: FactsRelation,
  result: string,
): Promise<void> {
  const created = source.createdOrder === undefined ? [] : [source.createdOrder];
  const order = [
    ...created.map((column) => `${quoteName(column)} DESC NULLS LAST`),
    '__hr_writer DESC NULLS LAST',
    '__hr_offset DESC NULLS LAST',
    ...source.columns.flatMap(({ name: column, type }) => {
      const descending = `${quoteName(column)} DESC NULLS LAST`;
      // −0 and 0 are equal to DuckDB, and two values to compareValues: −0 is the lesser.
      const isFloat = type.kind === 'float32' || type.kind === 'float64';
      return isFloat ? [descending, `signbit(${quoteName(column)})`] : [descending];
    }),
  ];
  const places = ['__hr_event', '__hr_known'].map((name) => `CAST(t.${name} AS BIGINT) AS ${name}`);
  const columns = ['__hr_named', ...places, 'k.* EXCLUDE (__hr_key, __hr_first, __hr_last)'];
  // A table of its own: DuckDB then sees how few they are, and passes over what has none of their keys.
  const groups = `${ties}_groups`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${groups} AS SELECT DISTINCT ${columns.join(', ')} ` +
      `FROM ${ties} t JOIN ${keys} k ON k.__hr_key = CAST(t.__hr_key AS INTEGER)`,
  );
  const members =
    `SELECT t.__hr_named, e.* FROM ${relation} e JOIN ${groups} t ON ${keyCondition(read, 'e', 't')} ` +
    'AND t.__hr_event = e.__hr_event AND t.__hr_known = e.__hr_known';
  const greatest =
    `SELECT __hr_named, __hr_row FROM (${members}) ` +
    `QUALIFY row_number() OVER (PARTITION BY __hr_named ORDER BY ${order.join(', ')}) = 1`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${result} AS SELECT w.__hr_spine, coalesce(CAST(t.__hr_row AS DOUBLE), w.__hr_row) AS __hr_row ` +
      `FROM ${winners} w LEFT JOIN (${greatest}) t ON t.__hr_named = w.__hr_row`,
  );
  await connection.run(`DROP TABLE ${groups}`);
}
