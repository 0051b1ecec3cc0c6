// Which keys a run must recompute, as a numbered table; and what it has to say of the source's rows.

import type { DuckDBConnection } from '@duckdb/node-api';
import { floorTo, type Micros } from '../../core/index.ts';
import type { ViewCodec } from '../../online/index.ts';
import type { ScannedSource } from '../sources/scan-source.ts';
import { duckType, quoteName } from '../sources/sql-text.ts';

export interface Interval {
  /** Known times after this one touch their keys; null touches every key. */
  readonly after: Micros | null;
  /** The watermark to be: known times up to it, inclusive. */
  readonly to: Micros;
}

export interface TouchedKeys {
  readonly count: number;
  readonly rowsInRange: number;
  /** Rows with a null key, event time or known time: they match nothing. */
  readonly rowsIgnored: number;
}

/** Temp table of the touched keys: `__hr_spine` (BIGINT from 0, in the keys' order), `__hr_at`, `k0`, `k1`, … */
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
  const inRange = `__hr_known <= ${interval.to}${interval.after === null ? '' : ` AND __hr_known > ${interval.after}`}`;
  const counted = await connection.run(
    `SELECT CAST(count(*) FILTER (WHERE ${isWhole} AND ${inRange}) AS DOUBLE), ` +
      `CAST(count(*) FILTER (WHERE NOT (${isWhole})) AS DOUBLE) FROM ${relation} AS events`,
  );
  const [rowsInRange, rowsIgnored] = ((await counted.getRows())[0] ?? []).map(Number);
  const oldest = horizon(codec, interval.to);
  const seen = oldest === null ? '' : ` AND __hr_event >= ${oldest}`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${KEYS_TABLE} AS SELECT row_number() OVER (ORDER BY ${names}) - 1 AS __hr_spine, ` +
      `CAST(${interval.to} AS BIGINT) AS __hr_at, ${names} FROM (` +
      `SELECT DISTINCT ${keys.join(', ')} FROM ${relation} AS events WHERE ${isWhole} AND ${inRange}${seen})`,
  );
  const total = await connection.run(`SELECT CAST(count(*) AS DOUBLE) FROM ${KEYS_TABLE}`);
  return {
    count: Number((await total.getRows())[0]?.[0]),
    rowsInRange: rowsInRange ?? 0,
    rowsIgnored: rowsIgnored ?? 0,
  };
}

export function keyType({ keyTypes }: ViewCodec, index: number) {
  // One type per key column: the manifest was validated.
  return keyTypes[index] as ViewCodec['keyTypes'][number];
}

/** Events before this leave no trace in a record as of `at`; null when every event may. */
function horizon({ view, aggregator, latestColumns }: ViewCodec, at: Micros): Micros | null {
  if (latestColumns.length > 0 && view.ttlMicros === null) return null;
  const groups = aggregator?.groups ?? [];
  const starts = groups.map(({ retentionMicros, hopMicros }) => floorTo(at - retentionMicros, hopMicros));
  return Math.min(...starts, latestColumns.length > 0 ? at - (view.ttlMicros ?? 0) : Infinity);
}
