// Latest rows: the points are sorted and held, a piece of them at a time; the events pass by in any order, as numbers only,
// and leave their mark where they become visible. DuckDB fetches the winners' columns afterwards by row number.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { FactsRelation } from '../facts/facts.ts';
import type { ReadPlan } from '../plan.ts';
import { type EventTap, openEventTap } from './event-tap.ts';
import { resolveTies } from './latest-ties.ts';
import { createNumberTable } from './number-table.ts';
import { keyCondition, type PointTables } from './point-keys.ts';
import { createPointSlots, type SortedPoints, type Winners } from './point-slots.ts';
import { readAhead } from './read-ahead.ts';
import { numbersOf } from './vector-values.ts';

/** Points held at once, some 40 bytes each; the events are read once for every so many. */
const MOST_POINTS = 2 ** 22;

/**
 * Finds each point's winning row: the greatest by (event, known, created order, content) of those visible at it and
 * not older than the TTL. Gives a table of `__hr_spine` and `__hr_row` (DOUBLE); points without a winner are not in it.
 */
export async function replayLatest(
  connection: DuckDBConnection,
  name: string,
  read: ReadPlan,
  scanned: FactsRelation,
  tables: PointTables,
  mostPoints = MOST_POINTS,
): Promise<string> {
  const winners = `__hr_winners_${name}`;
  const ties = `__hr_ties_${name}`;
  const foundTable = await createNumberTable(connection, winners, ['__hr_spine', '__hr_row']);
  const tiesTable = await createNumberTable(connection, ties, ['__hr_named', '__hr_key', '__hr_event', '__hr_known']);
  const tap = openEventTap(connection);
  let hasTies = false;
  try {
    const points = await countPoints(connection, tables);
    for (let from = 0; from < points; from += mostPoints) {
      const piece = await loadPoints(connection, tables, from, Math.min(mostPoints, points - from));
      const found = await findWinners(tap, read, scanned, tables, piece);
      foundTable.append([found.spineRows, found.rows], found.size);
      hasTies ||= found.ties.length > 0;
      const column = (of: (tie: (typeof found.ties)[number]) => number) => Float64Array.from(found.ties, of);
      tiesTable.append(
        [
          column(({ row }) => row),
          column(({ key }) => key),
          column(({ event }) => event),
          column(({ known }) => known),
        ],
        found.ties.length,
      );
    }
  } finally {
    foundTable.close();
    tiesTable.close();
  }
  const resolved = `__hr_latest_${name}`;
  if (hasTies) {
    await resolveTies(connection, read, winners, ties, tables.keys, scanned, resolved);
    await connection.run(`DROP TABLE ${winners}`);
  }
  await connection.run(`DROP TABLE ${ties}`);
  return hasTies ? resolved : winners;
}

async function countPoints(connection: DuckDBConnection, { points }: PointTables): Promise<number> {
  const counted = await connection.runAndReadAll(`SELECT CAST(count(*) AS DOUBLE) FROM ${points}`);
  return counted.getRows()[0]?.[0] as number;
}

// A table gives its rows in the order in which they were put into it.
async function loadPoints(
  connection: DuckDBConnection,
  { points: table }: PointTables,
  from: number,
  size: number,
): Promise<SortedPoints> {
  const points = { keys: new Int32Array(size), times: new Float64Array(size), spineRows: new Float64Array(size) };
  const stream = await connection.stream(
    `SELECT __hr_key, CAST(__hr_at AS DOUBLE), CAST(__hr_spine AS DOUBLE) FROM ${table} LIMIT ${size} OFFSET ${from}`,
  );
  let filled = 0;
  for await (const chunk of readAhead(stream)) {
    // Column types as selected above.
    points.keys.set(numbersOf<Int32Array>(chunk.getColumnVector(0)), filled);
    points.times.set(numbersOf<Float64Array>(chunk.getColumnVector(1)), filled);
    points.spineRows.set(numbersOf<Float64Array>(chunk.getColumnVector(2)), filled);
    filled += chunk.rowCount;
  }
  return points;
}

async function findWinners(
  tap: EventTap,
  read: ReadPlan,
  { relation }: FactsRelation,
  { keys }: PointTables,
  points: SortedPoints,
): Promise<Winners> {
  const { ttlMicros } = read.view;
  const slots = createPointSlots(points, ttlMicros ?? Infinity, read.boundary);
  const columns = ['__hr_known', '__hr_event', '__hr_row'].map((column) => `CAST(e.${column} AS DOUBLE)`);
  const isSeen = ttlMicros === null ? '' : ` AND e.__hr_event >= k.__hr_first - ${ttlMicros}`;
  await tap.run(
    `SELECT k.__hr_key, ${columns.join(', ')} FROM ${relation} e JOIN ${keys} k ON ${keyCondition(read)} ` +
      `WHERE k.__hr_key BETWEEN ${points.keys[0]} AND ${points.keys.at(-1)} AND e.__hr_known <= k.__hr_last${isSeen}`,
    slots.add,
  );
  return slots.winners();
}
