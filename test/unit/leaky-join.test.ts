// The leaky join that the quickstart holds features against, which must be leaky in just the way it says.

import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, it } from 'vitest';
import { writeLeakyTrainingSet } from '../../scripts/quickstart/leaky-join.ts';
import { folderOfTest } from '../support/new-folder.ts';

it('counts every flight from its departure on, landed or not', async () => {
  const directory = folderOfTest();
  const [flights, spine, out] = ['flights', 'spine', 'out'].map((name) => join(directory, `${name}.parquet`));
  const instance = await DuckDBInstance.create(':memory:');
  const db = await instance.connect();
  try {
    // Flights every seven hours between three airports, many of one departure, which land up to a day later.
    await db.run(`COPY (SELECT ['A', 'B', 'C'][i % 3 + 1] AS origin, ['B', 'C', 'A'][i * 7 % 3 + 1] AS destination,
        (i * 37 % 60)::DOUBLE AS delay, TIMESTAMP '2026-01-01' + to_hours((i // 4) * 7) AS departed_at,
        departed_at + to_hours(i % 25) AS landed_at FROM range(400) t(i)) TO '${flights}' (FORMAT parquet)`);
    await db.run(`COPY (SELECT ['A', 'B', 'C'][i % 3 + 1] AS origin, ['C', 'A', 'B'][i % 3 + 1] AS destination, 100::FLOAT AS distance,
        TIMESTAMP '2026-01-01' + to_hours(i * 14) AS scheduled_at, i % 2 = 0 AS late FROM range(40) t(i)) TO '${spine}' (FORMAT parquet)`);
    await writeLeakyTrainingSet({ flights: String(flights), spine: String(spine), out: String(out) });
    for (const [role, on] of [
      ['origin', 'f.origin = s.origin'],
      ['destination', 'f.origin = s.destination'],
      ['route_delays', 'f.origin = s.origin AND f.destination = s.destination'],
    ] as const) {
      const read = await db.runAndReadAll(`
        SELECT count(*), count(*) FILTER (WHERE got <> n OR (rate IS DISTINCT FROM late AND abs(rate - late) > 1e-9))
        FROM (
          SELECT any_value(s.${role}__flights_7d) AS got, any_value(s.${role}__late_rate_7d) AS rate, count(f.delay) AS n,
            avg((f.delay > 15)::INTEGER) AS late
          FROM (SELECT *, row_number() OVER () AS place FROM read_parquet('${out}')) s
          LEFT JOIN read_parquet('${flights}') f
            ON ${on} AND f.departed_at BETWEEN s.scheduled_at - INTERVAL 7 DAY AND s.scheduled_at
          GROUP BY s.place
        )`);
      expect([role, ...(read.getRows()[0] ?? [])]).toEqual([role, 40n, 0n]);
    }
  } finally {
    db.closeSync();
    instance.closeSync();
  }
});
