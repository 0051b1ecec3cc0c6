// The mistake that a feature store is there to prevent, made on purpose: features joined by departure time alone, as
// a plain SQL query would, so that delays count before anybody could know them (a flight's own among them).

import { DuckDBInstance } from '@duckdb/node-api';
import { quoteText } from '../../src/storage/index.ts';

const WINDOWS = [
  ['3h', '3 HOUR'],
  ['1d', '1 DAY'],
  ['7d', '7 DAY'],
  ['30d', '30 DAY'],
] as const;

/**
 * Writes the training set of `delay_features` as a join by departure time would make it. Counts and sums up to a time
 * are running totals, so each edge of a window is one ASOF join. Same rows, same columns, another idea of the past.
 */
export async function writeLeakyTrainingSet(options: {
  readonly flights: string;
  readonly spine: string;
  readonly out: string;
}): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`
      CREATE TABLE spine AS SELECT *, row_number() OVER () AS place FROM read_parquet(${quoteText(options.spine)})`);
    for (const [table, keys] of [
      ['airport', 'origin'],
      ['route', 'origin, destination'],
    ] as const) {
      await connection.run(runningTotals(table, keys, options.flights));
    }
    await connection.run(`COPY (${leakyJoin()}) TO ${quoteText(options.out)} (FORMAT parquet)`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function runningTotals(table: string, keys: string, flights: string): string {
  return `
    CREATE TABLE ${table} AS
    SELECT ${keys}, departed_at AS at, last_delay, sum(n) OVER so_far AS flights, sum(late) OVER so_far AS late
    FROM (
      SELECT ${keys}, departed_at, count(*)::DOUBLE AS n, (count(*) FILTER (WHERE delay > 15))::DOUBLE AS late,
        arg_max(delay, landed_at) AS last_delay
      FROM read_parquet(${quoteText(flights)}) GROUP BY ALL
    )
    WINDOW so_far AS (PARTITION BY ${keys} ORDER BY departed_at ROWS UNBOUNDED PRECEDING)`;
}

// Each spine row asks for the totals at its own time and at the start of each window; one ASOF join answers them all.
function leakyJoin(): string {
  const edges = WINDOWS.map(([, interval], at) => `(${at + 1}, INTERVAL ${interval})`).join(', ');
  const roles = [
    { role: 'origin', table: 'airport', on: 't.origin = e.origin' },
    { role: 'destination', table: 'airport', on: 't.origin = e.destination' },
    { role: 'route_delays', table: 'route', on: 't.origin = e.origin AND t.destination = e.destination' },
  ];
  const parts = roles.map(({ role, table, on }) => {
    const total = (what: string, edge: number): string => `coalesce(max(t.${what}) FILTER (WHERE edge = ${edge}), 0)`;
    const columns = WINDOWS.flatMap(([name], at) => {
      const flights = `(${total('flights', 0)} - ${total('flights', at + 1)})`;
      const late = `(${total('late', 0)} - ${total('late', at + 1)})`;
      return [
        `${late} / nullif(${flights}, 0) AS ${role}__late_rate_${name}`,
        `${flights}::BIGINT AS ${role}__flights_${name}`,
      ];
    });
    if (table === 'airport') {
      columns.push(
        `max(t.last_delay) FILTER (WHERE edge = 0 AND t.at >= e.at - INTERVAL 2 DAY) AS ${role}__last_delay`,
      );
    }
    return `${role} AS (
      SELECT place, ${columns.join(', ')} FROM edges e ASOF LEFT JOIN ${table} t ON ${on} AND e.at >= t.at GROUP BY place
    )`;
  });
  return `
    WITH edges AS (
      -- A window holds its start, so the totals before it end a microsecond earlier.
      SELECT place, origin, destination, edge,
        CASE WHEN edge = 0 THEN scheduled_at ELSE scheduled_at - length - INTERVAL 1 MICROSECOND END AS at
      FROM spine, (VALUES (0, INTERVAL 0 HOUR), ${edges}) AS window_edges(edge, length)
    ), ${parts.join(', ')}
    SELECT spine.* EXCLUDE (place), origin.* EXCLUDE (place), destination.* EXCLUDE (place),
      route_delays.* EXCLUDE (place), hour(scheduled_at) AS departure__hour,
      dayofweek(scheduled_at) AS departure__weekday, distance AS departure__distance
    FROM spine JOIN origin USING (place) JOIN destination USING (place) JOIN route_delays USING (place)
    ORDER BY place`;
}
