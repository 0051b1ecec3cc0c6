// The points that a read asks for: each spine row's key as a small number, and its T. Keys are told apart by their
// typed columns, never by joined text: (1, 12) is not (11, 2).

import type { DuckDBConnection } from '@duckdb/node-api';
import type { ReadPlan } from '../plan.ts';
import { quoteName } from '../../storage/index.ts';
import { duckType } from '../sources/sql-text.ts';

export interface PointTables {
  /**
   * Distinct keys without nulls: `__hr_key` (INTEGER from 0), `k0`, `k1`, … in the entity's types, and between which times
   * their points lie (`__hr_first`, `__hr_last`).
   */
  readonly keys: string;
  /** Spine rows with a key and a time, in the order of both: `__hr_spine`, `__hr_key`, `__hr_at` (T or T', BIGINT micros). */
  readonly points: string;
}

/** Makes both tables for a read. `spineSql` gives each key column in the entity's type over `spineTable`. */
export async function makePoints(
  connection: DuckDBConnection,
  name: string,
  read: ReadPlan,
  spineTable: string,
  spineSql: ReadonlyMap<string, string>,
): Promise<PointTables> {
  const keys = `__hr_keys_${name}`;
  const points = `__hr_points_${name}`;
  const columns = read.keys.map(
    ({ spineColumn, type }, i) => `CAST(${spineSql.get(spineColumn)} AS ${duckType(type)}) AS k${i}`,
  );
  const spine = `(SELECT __hr_spine, ${timeSql(read)} AS __hr_at, ${columns.join(', ')} FROM ${spineTable})`;
  const names = read.keys.map((_, i) => `k${i}`);
  const hasKey = names.map((key) => `${key} IS NOT NULL`).join(' AND ');
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${keys} AS SELECT CAST(row_number() OVER () - 1 AS INTEGER) AS __hr_key, * ` +
      `FROM (SELECT ${names.join(', ')}, min(__hr_at) AS __hr_first, max(__hr_at) AS __hr_last FROM ${spine} ` +
      `WHERE ${hasKey} AND __hr_at IS NOT NULL GROUP BY ${names.join(', ')})`,
  );
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${points} AS SELECT s.__hr_spine, k.__hr_key, s.__hr_at ` +
      `FROM ${spine} s JOIN ${keys} k ON ${names.map((key) => `s.${key} = k.${key}`).join(' AND ')} WHERE s.__hr_at IS NOT NULL ORDER BY k.__hr_key, s.__hr_at`,
  );
  return { keys, points };
}

/** The condition that an event `e` of a source's relation has key `k`. */
export function keyCondition(read: ReadPlan, event = 'e', key = 'k'): string {
  return read.keys
    .map(({ sourceColumn, type }, i) => `CAST(${event}.${quoteName(sourceColumn)} AS ${duckType(type)}) = ${key}.k${i}`)
    .join(' AND ');
}

// floor(T − lag, every), also before 1970, where SQL's % is negative.
function timeSql({ schedule }: ReadPlan): string {
  if (schedule === null) return '__hr_at';
  const { everyMicros: every, lagMicros: lag } = schedule;
  return `(__hr_at - ${lag}) - ((((__hr_at - ${lag}) % ${every}) + ${every}) % ${every})`;
}
