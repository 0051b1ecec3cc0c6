// One read of a plan: a stored view's features at every point of the spine, as joins to the spine's rows.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { FeatureSpec } from '../../definitions/index.ts';
import { type DuckDb, quoteName } from '../../storage/index.ts';
import type { ReadPlan } from '../plan.ts';
import type { FactsRelation } from '../facts/facts.ts';
import { duckType, valueWhere } from '../sources/sql-text.ts';
import { replayLatest } from './latest-replay.ts';
import { makePoints } from './point-keys.ts';
import { replayWindows } from './window-replay.ts';

/** What a read gave: relations keyed by `__hr_spine`, and for each used feature its SQL over them. */
export interface ReadResult {
  /** Left joins to add to a query over a spine called `s`. */
  readonly joins: readonly string[];
  /** SQL of each used feature, by its index in the view. A spine row without a key has nulls. */
  readonly features: ReadonlyMap<number, string>;
}

/** `isOnly`: whether the query that these joins are added to has no others. */
export async function runRead(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  index: number,
  read: ReadPlan,
  scanned: FactsRelation,
  spineTable: string,
  spineSql: ReadonlyMap<string, string>,
  isOnly: boolean,
): Promise<ReadResult> {
  const joins: string[] = [];
  const features = new Map<number, string>();
  if (read.latest.length > 0) {
    const winners = await findLatest(connection, index, read, scanned, spineTable, spineSql);
    // The winners' columns by row number: DuckDB reads the source once more, these columns alone.
    const fetched = `${scanned.relation} e${index} ON e${index}.__hr_row = CAST(l${index}.__hr_row AS BIGINT)`;
    const columns = read.latest.map((feature) => latestSql(read, scanned, feature, `e${index}`));
    const joinOf = (table: string) => `LEFT JOIN ${table} l${index} ON l${index}.__hr_spine = s.__hr_spine`;
    if (isOnly) {
      joins.push(joinOf(winners), `LEFT JOIN ${fetched}`);
      for (const [i, feature] of read.latest.entries()) features.set(feature, columns[i] as string);
    } else {
      // A table: of many joins to sources in one query DuckDB may take a source for the smaller side, and hold it.
      const table = `__hr_read_${index}`;
      const named = columns.map((sql, i) => `${sql} AS f${read.latest[i]}`);
      await connection.run(
        `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT l${index}.__hr_spine, ${named.join(', ')} FROM ${winners} l${index} JOIN ${fetched}`,
      );
      await connection.run(`DROP TABLE ${winners}`);
      joins.push(joinOf(table));
      for (const feature of read.latest) features.set(feature, `l${index}.f${feature}`);
    }
  }
  if (read.windows.length > 0) {
    const relation = await runWindows(duckdb, connection, read, scanned, spineTable, spineSql);
    joins.push(`LEFT JOIN ${relation} w${index} ON w${index}.__hr_row = s.__hr_spine`);
    for (const feature of read.windows) {
      features.set(feature, `w${index}.${quoteName((read.view.features[feature] as FeatureSpec).name)}`);
    }
  }
  return { joins, features };
}

async function findLatest(
  connection: DuckDBConnection,
  index: number,
  read: ReadPlan,
  scanned: FactsRelation,
  spineTable: string,
  spineSql: ReadonlyMap<string, string>,
): Promise<string> {
  const tables = await makePoints(connection, String(index), read, spineTable, spineSql);
  const winners = await replayLatest(connection, String(index), read, scanned, tables);
  await connection.run(`DROP TABLE ${tables.points}; DROP TABLE ${tables.keys}`);
  return winners;
}

function latestSql({ view }: ReadPlan, { source }: FactsRelation, feature: number, row: string): string {
  const { aggregation, type } = view.features[feature] as FeatureSpec;
  const value = `CAST(${row}.${quoteName(aggregation.column as string)} AS ${duckType(type)})`;
  const { tombstone } = source;
  // A deletion that wins leaves the key without a value.
  return tombstone === undefined ? value : valueWhere(`${row}.${quoteName(tombstone)} IS NOT TRUE`, value, type);
}

async function runWindows(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  read: ReadPlan,
  scanned: FactsRelation,
  spineTable: string,
  spineSql: ReadonlyMap<string, string>,
): Promise<string> {
  const keys = read.keys.map(
    ({ spineColumn, type }, i) => `CAST(${spineSql.get(spineColumn)} AS ${duckType(type)}) AS k${i}`,
  );
  const windows = await replayWindows(duckdb, connection, {
    view: read.view,
    source: scanned.source,
    sourceRelation: scanned.relation,
    spineRelation: `(SELECT __hr_spine AS __hr_row, __hr_at, ${keys.join(', ')} FROM ${spineTable})`,
    spineKeys: read.keys.map((_, i) => `k${i}`),
    boundary: read.boundary,
  });
  // The plan gave windows, so the view has some.
  return (windows as NonNullable<typeof windows>).relation;
}
