// Which keys a run must recompute, as a numbered table; and what it has to say of the source's rows.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Micros, MICROS_PER_MINUTE } from '../../core/index.ts';
import type { ViewCodec } from '../../online/index.ts';
import type { ScannedSource } from '../sources/scan-source.ts';
import { duckType, quoteName } from '../sources/sql-text.ts';
import type { Interval } from './interval.ts';

export interface TouchedKeys {
  readonly count: number;
  readonly rowsInRange: number;
  /** Rows with a null key, event time or known time: they match nothing. */
  readonly rowsIgnored: number;
}

/**
 * Temp table of the touched keys: `__hr_spine` (BIGINT from 0, in the keys' order), `__hr_at` (the watermark), `k0`,
 * `k1`, …, `__hr_newest` (the key's newest event time) and `__hr_since` (no window that ends at the newest event or
 * later sees an earlier event; BIGINT micros).
 */
export const KEYS_TABLE = '__hr_touched';

export async function findTouchedKeys(
  connection: DuckDBConnection,
  codec: ViewCodec,
  { relation }: ScannedSource,
  interval: Interval,
): Promise<TouchedKeys> {
  const keys = codec.view.keyColumns.map(
    (column, i) => `CAST(${quoteName(column)} AS ${duckType(keyType(codec, i))}) AS k${i}`,
  );
  const names = keys.map((_, i) => `k${i}`).join(', ');
  const isWhole = [...codec.view.keyColumns.map(quoteName), '__hr_event', '__hr_known']
    .map((name) => `${name} IS NOT NULL`)
    .join(' AND ');
  const inRange = rangeSql(interval, interval.arrivedAfter);
  // A push gets its arrival a moment before its log is on disk. One that took long then is found by the next run.
  const touches = rangeSql(interval, interval.arrivedAfter - LONGEST_APPEND_MICROS);
  const counted = await connection.run(
    `SELECT CAST(count(*) FILTER (WHERE ${isWhole} AND ${inRange}) AS DOUBLE), ` +
      `CAST(count(*) FILTER (WHERE NOT (${isWhole})) AS DOUBLE) FROM ${relation} AS events`,
  );
  const [rowsInRange, rowsIgnored] = ((await counted.getRows())[0] ?? []).map(Number);
  const newest = `max(__hr_event) FILTER (WHERE __hr_known <= ${interval.to})`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${KEYS_TABLE} AS SELECT row_number() OVER (ORDER BY ${names}) - 1 AS __hr_spine, ` +
      `CAST(${interval.to} AS BIGINT) AS __hr_at, ${names}, __hr_newest, __hr_newest - ${lookBack(codec)} AS __hr_since ` +
      `FROM (SELECT ${keys.join(', ')}, ${newest} AS __hr_newest FROM ${relation} AS events WHERE ${isWhole} ` +
      `GROUP BY ALL HAVING bool_or(${touches}))`,
  );
  const total = await connection.run(`SELECT CAST(count(*) AS DOUBLE) FROM ${KEYS_TABLE}`);
  return {
    count: Number((await total.getRows())[0]?.[0]),
    rowsInRange: rowsInRange ?? 0,
    rowsIgnored: rowsIgnored ?? 0,
  };
}

const LONGEST_APPEND_MICROS = MICROS_PER_MINUTE;

function rangeSql({ after, to, through }: Interval, arrivedAfter: Micros): string {
  const upTo = `__hr_known <= ${to}`;
  if (after === null) return upTo;
  // Rows of files have no arrival, and then only their known time tells.
  const late = through === Infinity ? '' : ` OR coalesce(__hr_arrival > ${arrivedAfter}, false)`;
  return `${upTo} AND (__hr_known > ${after}${late})`;
}

export function keyType({ keyTypes }: ViewCodec, index: number) {
  // One type per key column: the manifest was validated.
  return keyTypes[index] as ViewCodec['keyTypes'][number];
}

/**
 * How far before a key's newest event its windows look, hop included. Not before the watermark: a key that fell silent
 * keeps the tiles that a read as at its last events needs.
 */
function lookBack({ aggregator }: ViewCodec): Micros {
  return Math.max(
    0,
    ...(aggregator?.groups ?? []).map(({ retentionMicros, hopMicros }) => retentionMicros + hopMicros),
  );
}
