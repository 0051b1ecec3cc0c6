// Entries for the prediction log, with one column of each kind that JSON alone would not keep.

import type { Field } from '../../src/core/index.ts';
import type { PredictionEntry } from '../../src/monitoring/index.ts';

const requestFields: readonly Field[] = [{ name: 'origin', type: { kind: 'string' } }];
const featureFields: readonly Field[] = [
  { name: 'flights', type: { kind: 'int64' } },
  { name: 'mean_delay', type: { kind: 'float64' } },
  { name: 'last_seen', type: { kind: 'timestamp' } },
];
const outputFields: readonly Field[] = [{ name: 'probability', type: { kind: 'float32' } }];

export function predictionEntry(predictionId: string, changes: Partial<PredictionEntry> = {}): PredictionEntry {
  return {
    predictionId,
    requestId: 'request-1',
    traceId: null,
    atMicros: 1_790_000_000_000_000,
    latencyMicros: 850,
    endpoint: 'delay',
    model: 'delay_classifier',
    version: 3,
    variant: 'stable',
    unit: ['JFK'],
    requestFields,
    request: ['JFK'],
    featureFields,
    features: [2n ** 60n + 1n, NaN, 1_790_000_000_000_001],
    statuses: ['PRESENT', 'PRESENT', 'NOT_FOUND'],
    outputFields,
    outputs: [0.25],
    ...changes,
  };
}
