// More rows than DuckDB's own buffers hold: of a spine, and of one key that happened and became known at the very same time.

import { expect, it } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import { fields, latest, oneView, sourceOf, TYPES, viewOf, windowed, worldOfEach } from '../support/offline-world.ts';

const ROWS = 250_000;
const TIES = 300_000;
const { int64, timestamp } = TYPES;
const world = worldOfEach();

/** A training set over the spine, of the events' `x` and their number of 100 hours; what a query says of it. */
async function trained(events: string, spine: string, query: string) {
  const count = windowed('rows', int64, 'count', null, 100 * MICROS_PER_HOUR, MICROS_PER_HOUR);
  const view = viewOf('v', 'e', 'events', ['k'], [latest('last_x', int64, 'x'), count]);
  const columns = fields({ k: int64, at: timestamp, x: int64 });
  await world.select(`COPY (${events}) TO '${world.path('events.parquet')}'`);
  await world.select(`COPY (${spine}) TO '${world.path('spine.parquet')}'`);
  const manifest = oneView(sourceOf('events', 'events.parquet', columns), view);
  const { path } = await world.train(manifest, world.path('spine.parquet'), { timestamp: 'at' });
  return world.select(`SELECT ${query} FROM read_parquet('${path}')`);
}

it('keeps every row of a spine of a quarter of a million, with its latest and windowed features', {
  timeout: 60_000,
}, async () => {
  const counts = await trained(
    'SELECT i % 1000 AS k, make_timestamp(i * 1000000) AS at, i AS x FROM range(100000) t(i)',
    `SELECT i % 1000 AS k, make_timestamp(200000000000) AS at, i AS n FROM range(${ROWS}) t(i)`,
    'count(*)::INTEGER, count(*) FILTER (v__last_x = 99000 + k)::INTEGER, count(*) FILTER (v__rows = 100)::INTEGER',
  );
  expect(counts).toEqual([[ROWS, ROWS, ROWS]]);
});

it('finds the winner of 300,000 rows of one key and time', { timeout: 60_000 }, async () => {
  // The greatest content is neither the first row nor the last. Key 1 ties twice, at two times; key 2 not at all.
  const winners = await trained(
    `SELECT 1::BIGINT AS k, make_timestamp(CASE WHEN i < ${TIES} THEN 1000000 ELSE 2000000 END) AS at,
      (i * 7919) % ${TIES} + (i // ${TIES}) * ${TIES} AS x FROM range(${2 * TIES}) t(i)
      UNION ALL SELECT 2, make_timestamp(1000000), -1`,
    `SELECT k::BIGINT AS k, make_timestamp(micros) AS at
      FROM (VALUES (1, 999999), (1, 1500000), (2, 1500000), (1, 2500000), (1, 3500000)) t(k, micros)`,
    'v__last_x::INTEGER',
  );
  expect(winners.flat()).toEqual([null, TIES - 1, -1, 2 * TIES - 1, 2 * TIES - 1]);
});
