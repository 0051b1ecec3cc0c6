// Training sets on real flights: delays are known on landing, not at departure.
// twin: test/property/offline-training-set.test.ts > a training set

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileDefinitions,
  count,
  entity,
  featureService,
  featureView,
  latest,
  mean,
  onDemandView,
  parquet,
  t,
} from '../../src/definitions/index.ts';
import { auditTrainingSet, createTrainingSet, type OfflineDeps } from '../../src/offline/index.ts';
import { fields, openOfflineWorld, type OfflineWorld, readParquet, TYPES } from '../support/offline-world.ts';
import { oracleTrainingSet, sameValue } from '../support/oracle.ts';

const RAW = join(import.meta.dirname, '../../node_modules/vega-datasets/data/flights-3m.parquet');

let world: OfflineWorld;
let deps: OfflineDeps;
beforeAll(async () => {
  world = await openOfflineWorld();
  await world.connection.run(
    `COPY (SELECT origin, destination, CAST(distance AS FLOAT) AS distance, CAST(delay AS DOUBLE) AS delay, date AS departed_at,
       date + to_minutes(CAST(distance / 8 + 40 + delay AS BIGINT)) AS landed_at
     FROM '${RAW}' WHERE origin IN ('BUR', 'ISP')) TO '${join(world.directory, 'flights.parquet')}' (FORMAT parquet)`,
  );
  await world.connection.run(
    `COPY (SELECT origin, destination, departed_at AS scheduled_at, distance, CAST(delay > 15 AS INTEGER) AS late
     FROM '${join(world.directory, 'flights.parquet')}' ORDER BY departed_at, origin, destination, distance, delay)
     TO '${join(world.directory, 'spine.parquet')}' (FORMAT parquet)`,
  );
  const airport = entity('airport', { keys: { airport: t.string() } });
  const route = entity('route', { keys: { origin: t.string(), destination: t.string() } });
  const flights = parquet('flights', {
    path: 'flights.parquet',
    columns: {
      origin: t.string(),
      destination: t.string(),
      distance: t.float32(),
      delay: t.float64(),
      departed_at: t.timestamp(),
      landed_at: t.timestamp(),
    },
    derive: { is_late: [t.float64(), (row) => (row.delay == null ? null : row.delay > 15 ? 1 : 0)] },
    eventTime: 'departed_at',
    knownTime: 'landed_at',
  });
  const airportDelays = featureView('airport_delays', {
    entity: airport,
    source: flights,
    keys: { airport: 'origin' },
    ttl: '30d',
    features: {
      last_delay: latest('delay'),
      flights_1d: count().over('1d'),
      mean_delay_7d: mean('delay').over('7d'),
      late_rate_7d: mean('is_late').over('7d', { hop: '1h' }),
    },
  });
  const routeDelays = featureView('route_delays', {
    entity: route,
    source: flights,
    ttl: '60d',
    features: { last_delay: latest('delay'), flights_30d: count().over('30d') },
    freshness: { every: '1h', lag: '5m' },
  });
  const departure = onDemandView('departure', {
    inputs: {
      request: { scheduled_at: t.timestamp(), distance: t.float32() },
      origin: airportDelays.as('origin', { airport: 'origin' }),
    },
    features: { hour: t.int32(), delay_per_mile: t.float32() },
    transform: ({ request, origin }) => ({
      hour: request.scheduled_at?.getUTCHours() ?? null,
      delay_per_mile: origin.mean_delay_7d != null && request.distance ? origin.mean_delay_7d / request.distance : null,
    }),
  });
  const service = featureService('delay_features', [
    airportDelays.as('origin', { airport: 'origin' }),
    airportDelays.as('destination', { airport: 'destination' }).pick('mean_delay_7d', 'late_rate_7d'),
    routeDelays,
    departure,
  ]);
  const exports = { airport, route, flights, airportDelays, routeDelays, departure, service };
  const definitions = compileDefinitions(
    Object.entries(exports).map(([name, value]) => ({ file: 'flights.ts', name, value })),
    { project: 'flights', directory: world.directory },
  );
  deps = { ...world.deps, definitions };
});
afterAll(() => world.close());

const requestFor = (out: string) => ({
  service: 'delay_features',
  spine: join(world.directory, 'spine.parquet'),
  timestamp: 'scheduled_at',
  labels: ['late'],
  boundary: 'at' as const,
  out: join(world.directory, out),
});

const SPINE = fields({
  origin: TYPES.string,
  destination: TYPES.string,
  scheduled_at: TYPES.timestamp,
  distance: TYPES.float32,
  late: TYPES.int32,
});
const FLIGHTS = fields({
  origin: TYPES.string,
  destination: TYPES.string,
  distance: TYPES.float32,
  delay: TYPES.float64,
  departed_at: TYPES.timestamp,
  landed_at: TYPES.timestamp,
});
const FEATURES = fields({
  origin__last_delay: TYPES.float64,
  origin__flights_1d: TYPES.int64,
  origin__mean_delay_7d: TYPES.float64,
  origin__late_rate_7d: TYPES.float64,
  destination__mean_delay_7d: TYPES.float64,
  destination__late_rate_7d: TYPES.float64,
  route_delays__last_delay: TYPES.float64,
  route_delays__flights_30d: TYPES.int64,
  departure__hour: TYPES.int32,
  departure__delay_per_mile: TYPES.float32,
});

describe('flights', () => {
  it('gives the oracle’s values, the same bytes twice, and passes its audit', async () => {
    const record = await createTrainingSet(deps, requestFor('first.parquet'));
    const again = await createTrainingSet(deps, requestFor('second.parquet'));
    expect(again.contentHash).toBe(record.contentHash);
    expect(again.id).toBe(record.id);
    expect((await auditTrainingSet(deps, record.id, { sample: 100 })).isClean).toBe(true);

    const got = await readParquet(world.connection, record.path, [...SPINE, ...FEATURES]);
    const spine = await readParquet(world.connection, join(world.directory, 'spine.parquet'), SPINE);
    const flights = await readParquet(world.connection, join(world.directory, 'flights.parquet'), FLIGHTS);
    expect(got.length).toBe(spine.length);
    const { manifest, functions } = deps.definitions;
    const chosen = spine.map((_, i) => i).filter((i) => i % Math.ceil(spine.length / 10) === 0);
    const expected = oracleTrainingSet(
      { manifest, functions, rows: { flights } },
      'delay_features',
      chosen.map((i) => spine[i] as (typeof spine)[0]),
      'scheduled_at',
    );
    chosen.forEach((i, at) => {
      for (const { name, type } of [...SPINE, ...FEATURES]) {
        const [a, b] = [got[i]?.[name] ?? null, expected[at]?.[name] ?? null];
        if (!sameValue(type, a, b)) expect.fail(`row ${i}, ${name}: got ${String(a)}, expected ${String(b)}`);
      }
    });
  }, 60_000);

  it('keeps every winner of a spine longer than an appender’s buffer', async () => {
    const spine = `SELECT * FROM (SELECT * FROM '${join(world.directory, 'spine.parquet')}' ORDER BY ALL) CROSS JOIN (SELECT range AS copy FROM range(14))`;
    const record = await createTrainingSet(deps, { ...requestFor('long.parquet'), spine });
    const first = await createTrainingSet(deps, requestFor('short.parquet'));
    expect(record.rows).toBe(first.rows * 14);
    expect(record.rows).toBeGreaterThan(204_800);
    for (const name of ['origin__last_delay', 'route_delays__last_delay', 'origin__flights_1d']) {
      const rate = (of: typeof record) => of.features.find((feature) => feature.name === name)?.nullRate;
      expect(rate(record)).toBeCloseTo(rate(first) as number, 10);
    }
  }, 60_000);
});
