// Reports of experiments: the prediction log and the sources that metrics read, pinned as they are now, through the analysis. What
// a report was made of is kept with it, so that late data shows as another report and not as another answer.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Clock, contentHash, HeadraceError, type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import type { ExperimentSpec } from '../../definitions/index.ts';
import { withLog } from '../../monitoring/index.ts';
import { openQueriedRows, type OfflineDeps } from '../../offline/index.ts';
import {
  type Analysed,
  type AnalysedExperiment,
  analyse,
  type ExperimentReport,
  type Experiments,
  type ExperimentState,
  makeReport,
  metricsOf,
  type Phase,
  type SqlValues,
} from '../../rollouts/index.ts';
import type { DuckDb } from '../../storage/index.ts';

export interface ReportDeps {
  readonly experiments: Experiments;
  readonly duckdb: () => Promise<DuckDb>;
  /** What reading sources takes: asked for where a metric is SQL. */
  readonly offline: () => Promise<OfflineDeps>;
  /** The prediction log's. */
  readonly logDirectory: string;
  readonly clock: Clock;
}

/** A phase by its number, the last one where it is left out, or all of them as strata. */
export type AskedPhase = number | 'all' | undefined;

/** Throws HR_UNKNOWN_EXPERIMENT, HR_CONFLICT where it never ran, HR_INVALID for a phase that there is none of, HR_QUERY. */
export async function reportExperiment(deps: ReportDeps, name: string, asked?: AskedPhase): Promise<ExperimentReport> {
  const report = makeReport(await analyseExperiment(deps, name, asked), {
    nowMicros: deps.clock.nowMicros(),
    isAll: asked === 'all',
  });
  await deps.experiments.keep(report);
  return report;
}

/** What a report is made of, and a bandit's weights: those are of its first goal alone. */
export async function analyseExperiment(
  deps: ReportDeps,
  name: string,
  asked?: AskedPhase,
  isGoalAlone = false,
): Promise<Analysed> {
  const whole = analysedExperiment(await deps.experiments.get(name), asked);
  const goal = whole.metrics.goal.slice(0, 1);
  const experiment = isGoalAlone ? { ...whole, metrics: { goal, secondary: [], guardrail: [] } } : whole;
  const from = logFrom(experiment);
  const place = { directory: deps.logDirectory, ...(from === undefined ? {} : { from }) };
  return withLog(await deps.duckdb(), place, (connection, log) =>
    analyseOn(connection, experiment, log.answered, deps),
  );
}

async function analyseOn(
  connection: DuckDBConnection,
  experiment: AnalysedExperiment,
  log: string,
  deps: ReportDeps,
): Promise<Analysed> {
  const tables = new Map<string, string>();
  const asked = sqlValuesOf(experiment);
  const offline = asked.length === 0 ? undefined : await deps.offline();
  for (const [values, owner] of asked) {
    if (offline === undefined) break;
    const table = `hr_query_${tables.size}`;
    tables.set(contentHash(values), table);
    const { sql, over } = values;
    await openQueriedRows(
      connection,
      { owner: `metric "${owner}"`, sql, over, columns: ['unit', 'time', 'value'], table },
      offline,
    );
  }
  return analyse(connection, experiment, {
    log,
    sqlValues: (values) => `SELECT unit, "time", "value" FROM ${tables.get(contentHash(values))}`,
  });
}

/** Metrics by today's definitions, which may ask for more; all else as the phase was started with. */
function analysedExperiment({ name, spec, phases }: ExperimentState, asked: AskedPhase): AnalysedExperiment {
  const ran = phases.filter(({ state }) => state === 'running' || state === 'ended');
  const last = ran.at(-1);
  if (last === undefined)
    throw new HeadraceError(
      'HR_CONFLICT',
      `experiment "${name}" has not run yet, so there is nothing to report. \`headrace experiments start ${name}\` starts it.`,
    );
  const chosen = asked === 'all' ? ofOneRun(ran, last) : ran.filter(({ phase }) => phase === (asked ?? last.phase));
  if (chosen.length === 0)
    throw new HeadraceError(
      'HR_INVALID',
      `experiment "${name}" has no phase ${asked}; it has ${ran.map(({ phase }) => phase).join(', ')}.`,
    );
  const { unit, control } = last.spec;
  const { metrics, plan }: Pick<ExperimentSpec, 'metrics' | 'plan'> = spec ?? last.spec;
  return {
    name,
    unit,
    control,
    metrics,
    plan,
    phases: chosen.map((phase) => ({
      phase: phase.phase,
      startedMicros: phase.startedMicros,
      endedMicros: phase.endedMicros,
      arms: phase.live.arms.map((arm) => ({
        name: arm.name,
        version: Object.values(arm.versions)[0] ?? 0,
        buckets: arm.ranges.reduce((sum, [start, end]) => sum + end - start, 0),
      })),
    })),
  };
}

/** Phases that share the seed of the last: another start is another experiment. */
function ofOneRun(ran: readonly Phase[], last: Phase): readonly Phase[] {
  return ran.filter(({ live }) => live.seed === last.live.seed);
}

function sqlValuesOf(experiment: AnalysedExperiment): readonly (readonly [SqlValues, string])[] {
  const found = new Map<string, readonly [SqlValues, string]>();
  for (const { metric } of metricsOf(experiment)) {
    const parts = [...metric.parts, ...(metric.prePeriod === undefined ? [] : [metric.prePeriod])];
    for (const { values } of parts)
      if (values.kind === 'sql') found.set(contentHash(values), [values, metric.name] as const);
  }
  return [...found.values()];
}

/** Rows of before count for metrics that look back; undefined: all that there are. */
export function logFrom(experiment: Pick<AnalysedExperiment, 'metrics' | 'phases'>): Micros | undefined {
  // Servers' clocks may be behind; rows say themselves of which phase they are.
  const started = Math.min(...experiment.phases.map(({ startedMicros }) => startedMicros)) - MICROS_PER_HOUR;
  const before = metricsOf(experiment).flatMap(({ metric }) =>
    metric.prePeriod === undefined ? [] : [metric.prePeriod],
  );
  if (before.some(({ values, windowMicros }) => values.kind !== 'sql' && windowMicros === undefined)) return undefined;
  return started - Math.max(0, ...before.map(({ windowMicros = 0 }) => windowMicros));
}
