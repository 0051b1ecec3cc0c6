// Whose predictions and outcomes an experiment's reports are made of: a key that is kept to endpoints takes all of them to read one.

import type { ExperimentSpec, MetricSpec } from '../../../definitions/index.ts';
import type { ExperimentState } from './open-experiments.ts';

/** An endpoint, and the metrics that read its outcomes or outputs: none where it only binds the arms. */
export interface ReportRead {
  readonly endpoint: string;
  readonly metrics: readonly string[];
}

/** By whatever it was ever defined as: reports of then are kept. Endpoints that it is, or was, on come first. */
export function reportReads({ spec, phases, endpoints }: Omit<ExperimentState, 'name'>): readonly ReportRead[] {
  const ran = phases.filter(({ state }) => state !== 'failed').map((phase) => phase.spec);
  const specs: readonly ExperimentSpec[] = spec === null ? ran : [spec, ...ran];
  const reads = new Map<string, Set<string>>();
  const metricsOf = (endpoint: string): Set<string> => {
    const known = reads.get(endpoint) ?? new Set<string>();
    reads.set(endpoint, known);
    return known;
  };
  for (const { endpoint } of endpoints) metricsOf(endpoint);
  for (const one of specs) for (const endpoint of one.endpoints) metricsOf(endpoint);
  for (const { metrics } of specs)
    for (const metric of [...metrics.goal, ...metrics.secondary, ...metrics.guardrail])
      for (const endpoint of readBy(metric)) metricsOf(endpoint).add(metric.name);
  return Array.from(reads, ([endpoint, metrics]) => ({ endpoint, metrics: [...metrics] }));
}

/** Sources of a metric that is SQL belong to no endpoint. */
function readBy({ parts, prePeriod }: MetricSpec): string[] {
  return [...parts, ...(prePeriod === undefined ? [] : [prePeriod])].flatMap(({ values }) =>
    values.kind === 'sql' ? [] : [values.endpoint],
  );
}
