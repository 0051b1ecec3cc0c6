// Full ties of latest rows: same key, event time and known time. Such rows become visible together, so the winner of
// a group is the same for every point; only groups that some point took are looked at.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { DuckDb } from '../../storage/index.ts';
import type { ScannedSource } from '../sources/scan-source.ts';
import { quoteName } from '../sources/sql-text.ts';
import { createPairTable } from './pair-table.ts';

/** Pairs: the row that the replay named for a group, and each member of the group, itself included. */
export interface TieGroups {
  readonly first: number[];
  readonly member: number[];
}

/**
 * Replaces each group's named row by its greatest one, by (created order, arrival, declared columns in declared order,
 * nulls first). Gives the table with `__hr_spine` and `__hr_row`.
 */
export async function resolveTies(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  name: string,
  winners: string,
  groups: TieGroups,
  { source, relation }: ScannedSource,
): Promise<string> {
  const result = `__hr_latest_${name}`;
  const ties = `__hr_ties_${name}`;
  const pairs = await createPairTable(duckdb, connection, ties);
  groups.first.forEach((first, i) => {
    pairs.add(first, groups.member[i] as number);
  });
  await pairs.finish();
  const created = source.createdOrder === undefined ? [] : [source.createdOrder];
  const order = [
    ...created.map((column) => `${quoteName(column)} DESC NULLS LAST`),
    '__hr_arrival DESC NULLS LAST',
    ...source.columns.flatMap(({ name: column, type }) => {
      const descending = `${quoteName(column)} DESC NULLS LAST`;
      // −0 and 0 are equal to DuckDB, and two values to compareValues: −0 is the lesser.
      const isFloat = type.kind === 'float32' || type.kind === 'float64';
      return isFloat ? [descending, `signbit(${quoteName(column)})`] : [descending];
    }),
  ];
  const greatest =
    groups.first.length === 0
      ? `(SELECT 0 AS first, 0 AS winner LIMIT 0)`
      : `(SELECT first, __hr_row AS winner FROM (SELECT t.first, s.* FROM ${ties} t JOIN ${relation} s ON s.__hr_row = CAST(t.second AS BIGINT)) ` +
        `QUALIFY row_number() OVER (PARTITION BY first ORDER BY ${order.join(', ')}) = 1)`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${result} AS SELECT CAST(w.first AS BIGINT) AS __hr_spine, ` +
      `coalesce(t.winner, CAST(w.second AS BIGINT)) AS __hr_row FROM ${winners} w LEFT JOIN ${greatest} t ON t.first = w.second`,
  );
  await connection.run(`DROP TABLE ${winners}; DROP TABLE ${ties}`);
  return result;
}
