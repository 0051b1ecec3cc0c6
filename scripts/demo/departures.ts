// The last two days' departures with what became of each: what the demo asks about, and tells the outcome of.

import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteText } from '../../src/storage/index.ts';
import { root } from '../quickstart/headrace.ts';

export interface LandedDeparture {
  readonly request: {
    readonly origin: string;
    readonly destination: string;
    readonly distance: number;
    readonly scheduled_at: string;
  };
  /** More than 15 minutes. */
  readonly isLate: boolean;
}

/** In an order that has nothing to do with time or place, the same at each run. */
export async function landedDepartures(): Promise<readonly LandedDeparture[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const files = quoteText(join(root, 'feature_repo/data/flights/*.parquet'));
    const rows = await connection.runAndReadAll(`
      WITH flights AS (SELECT * FROM read_parquet(${files}))
      SELECT origin, destination, distance, strftime(departed_at, '%Y-%m-%dT%H:%M:%SZ'), delay > 15 FROM flights
      WHERE delay IS NOT NULL AND departed_at >= (SELECT max(departed_at) FROM flights) - INTERVAL 2 DAY
      ORDER BY md5(concat_ws('|', origin, destination, departed_at)), delay`);
    return rows.getRowsJS().map(([origin, destination, distance, scheduledAt, isLate]) => ({
      request: {
        origin: String(origin),
        destination: String(destination),
        distance: Number(distance),
        scheduled_at: String(scheduledAt),
      },
      isLate: isLate === true,
    }));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
