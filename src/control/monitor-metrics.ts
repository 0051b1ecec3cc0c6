// What monitors found, in Prometheus' text format: bounded, whatever the number of endpoints and features.

import { Gauge, Registry } from 'prom-client';
import type { Alert, DriftReport } from '../monitoring/index.ts';

/** Series of drift: of more features those that have moved most. */
const MOST_DRIFT_SERIES = 500;

export function monitorMetrics(open: readonly Alert[], drift: readonly DriftReport[]): Promise<string> {
  const registry = new Registry();
  const alerts = new Gauge({
    name: 'headrace_alerts_open',
    help: 'Alerts that are open.',
    labelNames: ['rule', 'endpoint'],
    registers: [registry],
  });
  for (const { rule, endpoint } of open) alerts.inc({ rule, endpoint });
  const psi = new Gauge({
    name: 'headrace_drift_psi',
    help: 'Population stability index of the newest window against the training data.',
    labelNames: ['endpoint', 'variant', 'version', 'feature'],
    registers: [registry],
  });
  const newest = drift.flatMap(({ endpoint, features }) =>
    features.flatMap(({ feature, kind, arm, windows }) => {
      const value = windows.at(-1)?.psi;
      const name = kind === 'output' ? `output:${feature}` : feature;
      return value === undefined || value === null ? [] : [{ endpoint, arm, name, value }];
    }),
  );
  for (const { endpoint, arm, name, value } of newest.sort((a, b) => b.value - a.value).slice(0, MOST_DRIFT_SERIES))
    psi.set({ endpoint, variant: arm.variant, version: arm.version, feature: name }, value);
  return registry.metrics();
}
