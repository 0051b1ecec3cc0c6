// Whether what is defined is served, in Prometheus' text format, for alerts.

import { Gauge, Registry } from 'prom-client';
import type { DefinitionsHealth } from '../definitions-health.ts';

export function definitionsMetrics({ revision, notLoaded, services }: DefinitionsHealth): Promise<string> {
  const registry = new Registry();
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
  if (revision !== null) {
    gauge('headrace_definitions_revision', 'The revision of the definitions that is loaded.').set(revision);
  }
  gauge('headrace_definitions_not_loaded', '1 when what is applied could not be loaded.').set(
    notLoaded === null ? 0 : 1,
  );
  const waiting = gauge(
    'headrace_service_waits_for_versions',
    'View versions that are filled before the service moves.',
    ['service'],
  );
  for (const { service, waitsFor } of services) waiting.set({ service }, waitsFor.length);
  return registry.metrics();
}
