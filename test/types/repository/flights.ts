// A whole feature repository as users write it: it must type-check and compile unmodified.

import {
  count,
  defineConfig,
  endpoint,
  entity,
  featureService,
  featureView,
  grid,
  latest,
  mean,
  model,
  onDemandView,
  parquet,
  pipeline,
  python,
  registerModel,
  sql,
  t,
  task,
  trainingSet,
} from 'headrace';

export const airport = entity('airport', { keys: { airport: t.string() } });
export const route = entity('route', { keys: { origin: t.string(), destination: t.string() } });

export const flights = parquet('flights', {
  path: 'data/flights/*.parquet',
  columns: {
    origin: t.string(),
    destination: t.string(),
    distance: t.float32(),
    delay: t.float64(),
    departed_at: t.timestamp(),
    landed_at: t.timestamp(),
  },
  derive: {
    is_late: [t.float64(), (row) => (row.delay == null ? null : row.delay > 15 ? 1 : 0)],
    miles_bucket: [t.int32(), sql`CAST(distance / 250 AS INTEGER)`],
  },
  eventTime: 'departed_at',
  knownTime: 'landed_at',
});

export const airportDelays = featureView('airport_delays', {
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
  freshness: 'live',
  description: 'Delays of departures, by airport',
  owner: 'ops',
  tags: { team: 'ops' },
});

export const routeDelays = featureView('route_delays', {
  entity: route,
  source: flights,
  ttl: '60d',
  features: { mean_delay_30d: mean('delay').over('30d'), flights_30d: count().over('30d') },
});

export const departure = onDemandView('departure', {
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

export const delayFeatures = featureService('delay_features', [
  airportDelays.as('origin', { airport: 'origin' }),
  airportDelays.as('destination', { airport: 'destination' }).pick('mean_delay_7d', 'late_rate_7d'),
  routeDelays,
  departure,
]);

export const delayModel = model('delay_classifier', { features: delayFeatures, outputs: { probability: t.float32() } });
export const delayEndpoint = endpoint('delay', { model: delayModel, unit: ['origin', 'destination'] });

const p = pipeline('train_delay', { schedule: '0 3 * * *', params: { seed: t.int32().default(7) } });
const data = p.step('export', trainingSet({ service: delayFeatures, spine: 'data/spine.parquet', label: 'late' }));
const fit = p.step('fit', python('train.py', { requirements: 'requirements.txt' }), {
  needs: { data },
  foreach: grid({ trees: [100, 200], depth: [4, 6] }),
  retry: 2,
  timeout: '30m',
  resources: { cpu: 2, memory: '4Gi' },
});
const best = p.step(
  'best',
  task(({ fit }) => fit.toSorted((a, b) => b.auc - a.auc)[0]),
  { needs: { fit } },
);
p.step('register', registerModel(delayModel), { needs: { best } });
export default p;

export const config = defineConfig({
  project: 'flights',
  repo: './feature_repo',
  registry: { url: 'sqlite:.headrace/registry.db' },
  online: { url: 'lmdb:.headrace/online' },
  offline: { engine: 'duckdb', path: '.headrace/offline', memory: '4GB' },
  artifacts: { url: 'file:.headrace/artifacts' },
  server: { host: '127.0.0.1', port: 8080, grpcPort: 8081, workers: 1 },
});
