// Records for the prediction log, with one column of each kind that JSON alone would not keep.

import type { ArmSchema, PredictionLog, PredictionRecord, RecordRoute } from '../../src/monitoring/index.ts';

export const armSchema: ArmSchema = {
  endpoint: 'delay',
  model: 'delay_classifier',
  version: 3,
  variant: 'stable',
  arm: 'arm-1',
  requestFields: [{ name: 'origin', type: { kind: 'string' } }],
  featureFields: [
    { name: 'flights', type: { kind: 'int64' } },
    { name: 'mean_delay', type: { kind: 'float64' } },
    { name: 'last_seen', type: { kind: 'timestamp' } },
  ],
  outputFields: [{ name: 'probability', type: { kind: 'float32' } }],
  unitFields: ['origin'],
};

/** Of an arm of experiment `exp`, whose unit is `origin`. */
export const experimentRoute: RecordRoute = {
  via: 'experiment',
  assigned: 'treatment',
  experiment: 'exp',
  phase: 1,
  revision: 7,
  fallbackFrom: null,
  unitFields: ['origin'],
  keepsUnitsWhole: true,
};

export function predictionRecord(predictionId: string, changes: Partial<PredictionRecord> = {}): PredictionRecord {
  return {
    predictionId,
    requestId: 'request-1',
    traceId: null,
    atMicros: 1_790_000_000_000_000,
    latencyMicros: 850,
    unit: ['JFK'],
    route: null,
    experimentUnit: null,
    unitHash: 0,
    request: ['JFK'],
    features: [2n ** 60n + 1n, NaN, 1_790_000_000_000_001],
    statuses: ['PRESENT', 'PRESENT', 'NOT_FOUND'],
    outputs: [0.25],
    ...changes,
  };
}

export function appendRecord(log: PredictionLog, id: string, changes: Partial<PredictionRecord> = {}): boolean {
  return log.arm(armSchema).append(predictionRecord(id, changes));
}
