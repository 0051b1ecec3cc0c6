// The load scenarios and their thresholds, in one table that k6 and the built-in runner share.

export interface Scenario {
  readonly name: string;
  readonly path: string;
  readonly body: unknown;
  readonly connections: number;
  readonly seconds: number;
  /** The run fails past these. */
  readonly thresholds: { readonly p99Ms: number; readonly errorRate: number };
}

const flight = { origin: 'ATL', destination: 'ORD', distance: 606, scheduled_at: '2026-11-24T10:00:00Z' };

export const scenarios: readonly Scenario[] = [
  {
    name: 'predict one row',
    path: '/v1/endpoints/delay/predict',
    body: { inputs: [flight] },
    connections: 16,
    seconds: 10,
    thresholds: { p99Ms: 50, errorRate: 0.001 },
  },
  {
    name: 'predict 64 rows',
    path: '/v1/endpoints/delay/predict',
    body: { inputs: Array.from({ length: 64 }, () => flight) },
    connections: 4,
    seconds: 10,
    thresholds: { p99Ms: 200, errorRate: 0.001 },
  },
  {
    name: 'read features',
    path: '/v1/features/read',
    body: { service: 'delay_features', rows: [flight] },
    connections: 16,
    seconds: 10,
    thresholds: { p99Ms: 50, errorRate: 0.001 },
  },
];
