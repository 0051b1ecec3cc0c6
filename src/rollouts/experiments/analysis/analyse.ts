// From rows to sums: who took part, and each metric's sums by phase and arm. What is made of them is in `../report`.

import type { DuckDBConnection } from '@duckdb/node-api';
import { contentHash } from '../../../core/index.ts';
import type { MetricRole, MetricSpec } from '../../../definitions/index.ts';
import { type AnalysedExperiment, type AnalysedRows, armNames, metricsOf } from './analysed-experiment.ts';
import { type Exposures, openExposures, readTimeline } from './exposures.ts';
import { type MetricSums, readMetricSums } from './metric-sums.ts';
import { createPartValues } from './part-values.ts';
import { type ArmQuantile, readQuantiles } from './quantile-sums.ts';

export interface Analysed {
  readonly experiment: AnalysedExperiment;
  /** The control first; numbers of arms are places in it. */
  readonly arms: readonly string[];
  readonly exposures: Exposures;
  readonly timeline: Awaited<ReturnType<typeof readTimeline>>;
  readonly metrics: readonly AnalysedMetric[];
  /** Of the rows that it was made of: other rows, another one. */
  readonly rowsHash: string;
}

export type AnalysedMetric = { readonly role: MetricRole; readonly metric: MetricSpec } & (
  | { readonly kind: 'sums'; readonly sums: MetricSums }
  | { readonly kind: 'quantiles'; readonly quantiles: readonly ArmQuantile[] }
);

/** Temporary tables of the connection are made: it is this analysis's alone. */
export async function analyse(
  connection: DuckDBConnection,
  experiment: AnalysedExperiment,
  rows: AnalysedRows,
): Promise<Analysed> {
  const arms = armNames(experiment);
  const exposures = await openExposures(connection, experiment, rows);
  const values = createPartValues(connection, rows);
  const metrics: AnalysedMetric[] = [];
  for (const { role, metric } of metricsOf(experiment)) {
    const [part] = metric.parts;
    metrics.push(
      metric.quantile === undefined || part === undefined
        ? { role, metric, kind: 'sums', sums: await readMetricSums(connection, metric, values) }
        : {
            role,
            metric,
            kind: 'quantiles',
            quantiles: await readQuantiles(connection, part, metric.quantile, values),
          },
    );
  }
  const timeline = await readTimeline(connection, arms);
  return { experiment, arms, exposures, timeline, metrics, rowsHash: await hashRows(connection, values.sqlTables) };
}

/** In whatever order they come. */
async function hashRows(connection: DuckDBConnection, sqlTables: readonly string[]): Promise<string> {
  const columns = 'prediction_id, unit, via, assigned, phase, predicted_at, outputs, outcome, observed_at';
  const tables = [['hr_log', columns] as const, ...sqlTables.map((table) => [table, 'unit, value_at, value'] as const)];
  const hashes: unknown[] = [];
  for (const [table, of] of tables) {
    const read = await connection.runAndReadAll(
      `SELECT count(*)::VARCHAR, coalesce(sum(hash(${of})::HUGEINT), 0)::VARCHAR FROM ${table}`,
    );
    hashes.push(read.getRows()[0]);
  }
  return contentHash(hashes);
}
