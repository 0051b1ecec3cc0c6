// The example's data: real flights moved by whole weeks, known on landing, never in the future.
// twin: test/unit/leaky-join.test.ts > counts every flight from its departure on, landed or not

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PreparedFlights, prepareFlights } from '../../scripts/prepare-flights.ts';
import { parseTimestamp } from '../../src/core/index.ts';

const now = parseTimestamp('2026-11-25T15:00:00Z') ?? 0;
const raw = 'node_modules/vega-datasets/data/flights-3m.parquet';
let directory = '';
let instance: DuckDBInstance;
let db: DuckDBConnection;
let prepared: PreparedFlights;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headrace-flights-'));
  instance = await DuckDBInstance.create(':memory:');
  db = await instance.connect();
  prepared = await prepareFlights(directory, now);
  await db.run(`CREATE VIEW flights AS FROM read_parquet('${directory}/flights/*.parquet')`);
  await db.run(`CREATE VIEW spine AS FROM read_parquet('${directory}/spine.parquet')`);
});

afterAll(() => {
  db.closeSync();
  instance.closeSync();
  rmSync(directory, { recursive: true, force: true });
});

async function rows(query: string): Promise<unknown[][]> {
  const asJson = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
  return (await db.runAndReadAll(query)).getRowsJS().map((row) => row.map(asJson));
}

describe('the flights', () => {
  it('are all there, have all landed, the last within the last hour', async () => {
    expect(prepared.flights).toBe(3_000_000);
    const [[count, latest, impossible] = []] = await rows(
      `SELECT count(*), epoch_us(max(landed_at)), count(*) FILTER (WHERE landed_at <= departed_at) FROM flights`,
    );
    expect([count, impossible]).toEqual([3_000_000, 0]);
    expect(latest).toBeLessThanOrEqual(now);
    expect(latest).toBeGreaterThan(now - 3_600_000_000);
  });

  it('keep their weekday, hour and minute: they moved by whole weeks', async () => {
    const byMinuteOfWeek = (time: string, from: string): string =>
      `SELECT epoch_us(${time}) % 604800000000 AS at, origin, sum(delay), count(*) FROM ${from} GROUP BY ALL`;
    const moved = byMinuteOfWeek('departed_at', 'flights');
    const original = byMinuteOfWeek('date', `read_parquet('${raw}')`);
    expect(await rows(`SELECT count(*) FROM (${moved} EXCEPT ${original})`)).toEqual([[0]]);
  });

  it('give a spine of over 200,000 departures with their outcome, the same each time', async () => {
    expect(prepared.spineRows).toBeGreaterThan(200_000);
    expect(await rows(`SELECT column_name, column_type FROM (DESCRIBE spine)`)).toEqual([
      ['origin', 'VARCHAR'],
      ['destination', 'VARCHAR'],
      ['distance', 'FLOAT'],
      ['scheduled_at', 'TIMESTAMP'],
      ['late', 'BOOLEAN'],
    ]);
    expect(await prepareFlights(directory, now + 1)).toMatchObject({ reused: true, spineRows: prepared.spineRows });
  });
});
