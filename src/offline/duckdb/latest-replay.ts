// Latest rows by replay: events (at their known time) and points, sorted by (key, time), pass through one loop that
// keeps each key's winner. Only numbers are streamed; DuckDB fetches the winners' columns afterwards by row number.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { DuckDb } from '../../storage/index.ts';
import type { ReadPlan } from '../plan.ts';
import type { ScannedSource } from '../sources/scan-source.ts';
import { resolveTies, type TieGroups } from './latest-ties.ts';
import { createPairTable } from './pair-table.ts';
import { keyCondition, type PointTables } from './point-keys.ts';
import { readAhead } from './read-ahead.ts';
import { numbersOf } from './vector-values.ts';

/**
 * Finds each point's winning row: the greatest by (event, known, created order, content) of those visible at it and
 * not older than the TTL. Gives a table of `__hr_spine` and `__hr_row` (BIGINT); points without a winner are not in it.
 */
export async function replayLatest(
  duckdb: DuckDb,
  connection: DuckDBConnection,
  name: string,
  read: ReadPlan,
  scanned: ScannedSource,
  tables: PointTables,
): Promise<string> {
  const winners = `__hr_winners_${name}`;
  const out = await createPairTable(duckdb, connection, winners);
  const ttl = read.view.ttlMicros ?? Infinity;
  const groups: TieGroups = { first: [], member: [] };
  let key = -1;
  let bestEvent = -Infinity;
  let bestKnown = -Infinity;
  let bestRow = -1;
  // Rows that tie with the best one; written down once a point takes the best.
  let tied: number[] = [];
  let isTieNoted = false;

  try {
    const stream = await connection.stream(streamSql(read, scanned, tables));
    for await (const chunk of readAhead(stream)) {
      // Column types as selected in streamSql.
      const keys = numbersOf<Int32Array>(chunk.getColumnVector(0));
      const times = numbersOf<Float64Array>(chunk.getColumnVector(1));
      const rows = numbersOf<Float64Array>(chunk.getColumnVector(2));
      const events = numbersOf<Float64Array>(chunk.getColumnVector(3));
      for (let i = 0; i < keys.length; i++) {
        if (keys[i] !== key) {
          key = keys[i] as number;
          bestEvent = bestKnown = -Infinity;
          bestRow = -1;
          tied = NO_TIES;
        }
        const row = rows[i] as number;
        const time = times[i] as number;
        if (row >= 0) {
          const event = events[i] as number;
          if (event > bestEvent || (event === bestEvent && time > bestKnown)) {
            bestEvent = event;
            bestKnown = time;
            bestRow = row;
            tied = NO_TIES;
          } else if (event === bestEvent && time === bestKnown) {
            if (tied === NO_TIES) {
              tied = [];
              isTieNoted = false;
            }
            tied.push(row);
          }
        } else if (bestRow >= 0 && bestEvent >= time - ttl) {
          if (tied !== NO_TIES && !isTieNoted) {
            groups.first.push(bestRow, ...tied.map(() => bestRow));
            groups.member.push(bestRow, ...tied);
            isTieNoted = true;
          }
          out.add(-1 - row, bestRow);
        }
      }
    }
    await out.finish();
  } finally {
    await out.discard();
  }
  return resolveTies(duckdb, connection, name, winners, groups, scanned);
}

const NO_TIES: number[] = [];

// One number tells events (row ≥ 0) from points (−1 − spine row); sorted by it, descending puts events first at equal
// times (they count) and ascending puts points first (`before`: they don't). The order is total, so a run repeats.
function streamSql(read: ReadPlan, { relation }: ScannedSource, { keys, points }: PointTables): string {
  const direction = read.boundary === 'at' ? 'DESC' : 'ASC';
  return (
    'SELECT key, CAST(time AS DOUBLE), CAST(row AS DOUBLE), CAST(event AS DOUBLE) FROM (' +
    `SELECT k.__hr_key AS key, e.__hr_known AS time, e.__hr_row AS row, e.__hr_event AS event ` +
    `FROM ${relation} e JOIN ${keys} k ON ${keyCondition(read)} WHERE e.__hr_known IS NOT NULL ` +
    `UNION ALL SELECT __hr_key, __hr_at, -1 - __hr_spine, 0 FROM ${points}` +
    `) ORDER BY key, time, row ${direction}`
  );
}
