// What an analysis is asked: an experiment as it ran, phase by phase, and where its rows lie.

import type { Micros } from '../../../core/index.ts';
import type { ExperimentSpec, MetricPartSpec } from '../../../definitions/index.ts';

/** A phase as it ran: its arms by name, the weights that units were assigned by. */
export interface AnalysedPhase {
  readonly phase: number;
  readonly startedMicros: Micros;
  /** Null while it runs. */
  readonly endedMicros: Micros | null;
  readonly arms: readonly AnalysedArm[];
}

export interface AnalysedArm {
  readonly name: string;
  readonly version: number;
  /** Of 10,000. */
  readonly buckets: number;
}

export interface AnalysedExperiment {
  readonly name: string;
  readonly unit: readonly string[];
  readonly control: string;
  readonly metrics: ExperimentSpec['metrics'];
  readonly plan: ExperimentSpec['plan'];
  /** Those that are analysed together, ascending: units compare within each. */
  readonly phases: readonly AnalysedPhase[];
}

/** Where the rows are, as SQL of the connection that asks. */
export interface AnalysedRows {
  /** The prediction log, with the columns that readers of it see; without what shadows made of rows. */
  readonly log: string;
  /** Rows with `unit`, `time` and `value` of a metric that is SQL. */
  readonly sqlValues: (values: SqlValues) => string;
}

export type SqlValues = Extract<MetricPartSpec['values'], { readonly kind: 'sql' }>;

/** The arms of all phases, the control first. */
export function armNames({ control, phases }: AnalysedExperiment): readonly string[] {
  const names = new Set(phases.flatMap(({ arms }) => arms.map(({ name }) => name)));
  return [control, ...[...names].filter((name) => name !== control)];
}

/** Every metric, goals first. */
export function metricsOf({ metrics }: Pick<AnalysedExperiment, 'metrics'>) {
  return (['goal', 'secondary', 'guardrail'] as const).flatMap((role) =>
    metrics[role].map((metric) => ({ role, metric })),
  );
}
