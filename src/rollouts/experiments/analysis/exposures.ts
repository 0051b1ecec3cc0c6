// Who took part: each unit at its first exposure in a phase, in the arm that it was assigned, whatever it was served then.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Micros } from '../../../core/index.ts';
import { quoteText, quoteTime } from '../../../storage/index.ts';
import { type AnalysedExperiment, type AnalysedRows, armNames, metricsOf } from './analysed-experiment.ts';
import { requestUnitSql } from './unit-text.ts';

/** Groups of units, by which errors of several phases together are reckoned. */
export const GROUPS = 64;

export interface Exposures {
  /** Units by phase and arm, in the order of `armNames`. */
  readonly units: ReadonlyMap<number, readonly number[]>;
  /** Units that were seen in two arms of a phase, and are left out. */
  readonly twoArms: number;
  /** Rows of a forced arm, and rows of the experiment whose unit the log does not tell. */
  readonly forcedRows: number;
  readonly unitlessRows: number;
  readonly forcedUnits: number;
  /** Whether the log keeps only a sample of rows. */
  readonly isSampled: boolean;
  readonly lastMicros: Micros | null;
}

/** Makes `hr_log`, the rows that count, and `hr_units`: id, unit, phase, arm (a number), first_at, until, grp. */
export async function openExposures(
  connection: DuckDBConnection,
  experiment: AnalysedExperiment,
  rows: AnalysedRows,
): Promise<Exposures> {
  const isOwn = `experiment = ${quoteText(experiment.name)}`;
  const endpoints = measuredEndpoints(experiment).map(quoteText).join(', ');
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE hr_log AS SELECT prediction_id, endpoint, predicted_at, outputs, outcome, observed_at, \
coalesce(via, '') AS via, assigned, phase, sample_rate, coalesce(${isOwn}, false) AS is_own, \
CASE WHEN ${isOwn} AND experiment_unit IS NOT NULL THEN experiment_unit ELSE ${requestUnitSql(experiment.unit)} END AS unit \
FROM (${rows.log}) WHERE ${isOwn}${endpoints === '' ? '' : ` OR endpoint IN (${endpoints})`}`,
  );
  const arms = armNames(experiment);
  const spans = experiment.phases.map(
    ({ phase, endedMicros }) => `(${phase}, ${endedMicros === null ? 'NULL::TIMESTAMPTZ' : quoteTime(endedMicros)})`,
  );
  const numbers = arms.map((name, at) => `(${quoteText(name)}, ${at})`);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE hr_seen AS SELECT unit, phase, min(predicted_at) AS first_at, min(assigned) AS arm, \
count(DISTINCT assigned) AS arms FROM hr_log WHERE is_own AND via = 'experiment' AND unit IS NOT NULL \
AND phase IN (${experiment.phases.map(({ phase }) => phase).join(', ')}) GROUP BY unit, phase`,
  );
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE hr_units AS SELECT row_number() OVER (ORDER BY s.phase, s.unit) AS id, s.unit, s.phase, a.number AS arm, \
s.first_at, p.until, (hash(s.unit) % ${GROUPS})::INTEGER AS grp FROM hr_seen s \
JOIN (VALUES ${numbers.join(', ')}) a(name, number) ON a.name = s.arm \
JOIN (VALUES ${spans.join(', ')}) p(phase, until) ON p.phase = s.phase WHERE s.arms = 1`,
  );
  return readExposures(connection, experiment, arms);
}

async function readExposures(
  connection: DuckDBConnection,
  { phases }: AnalysedExperiment,
  arms: readonly string[],
): Promise<Exposures> {
  const counts = await connection.runAndReadAll(
    'SELECT phase, arm, count(*)::DOUBLE AS units FROM hr_units GROUP BY phase, arm',
  );
  const units = new Map(phases.map(({ phase }) => [phase, arms.map(() => 0)]));
  for (const [phase, arm, count] of counts.getRows()) {
    const row = units.get(Number(phase));
    if (row !== undefined) row[Number(arm)] = Number(count);
  }
  const phase = `phase IN (${phases.map(({ phase: number }) => number).join(', ')})`;
  const told = await connection.runAndReadAll(
    `SELECT (SELECT count(*) FROM hr_seen WHERE arms > 1)::DOUBLE, \
count(*) FILTER (via = 'forced' AND is_own)::DOUBLE, \
count(*) FILTER (via = 'experiment' AND is_own AND unit IS NULL AND ${phase})::DOUBLE, \
count(DISTINCT unit) FILTER (via = 'forced' AND is_own)::DOUBLE, \
coalesce(bool_or(sample_rate < 1), false), epoch_us(max(predicted_at))::DOUBLE FROM hr_log`,
  );
  const [twoArms, forcedRows, unitlessRows, forcedUnits, isSampled, last] = told.getRows()[0] ?? [];
  return {
    units,
    twoArms: Number(twoArms),
    forcedRows: Number(forcedRows),
    unitlessRows: Number(unitlessRows),
    forcedUnits: Number(forcedUnits),
    isSampled: isSampled === true,
    lastMicros: last === null || last === undefined ? null : Number(last),
  };
}

/** Units first seen, summed up to each of at most `most` moments, by arm. */
export async function readTimeline(
  connection: DuckDBConnection,
  arms: readonly string[],
  most = 60,
): Promise<readonly { readonly atMicros: Micros; readonly units: readonly number[] }[]> {
  const read = await connection.runAndReadAll(
    `WITH span AS (SELECT min(epoch_us(first_at)) AS lo, greatest(1, max(epoch_us(first_at)) - min(epoch_us(first_at))) AS width FROM hr_units), \
placed AS (SELECT arm, least(${most - 1}, (epoch_us(first_at) - lo) * ${most} // width) AS bin FROM hr_units, span) \
SELECT bin::INTEGER, arm::INTEGER, count(*)::DOUBLE, (SELECT lo + (bin + 1) * width // ${most} FROM span)::DOUBLE FROM placed GROUP BY bin, arm ORDER BY bin`,
  );
  const sums = arms.map(() => 0);
  const points = new Map<number, { atMicros: Micros; units: readonly number[] }>();
  for (const [bin, arm, count, at] of read.getRows()) {
    sums[Number(arm)] = (sums[Number(arm)] ?? 0) + Number(count);
    points.set(Number(bin), { atMicros: Number(at), units: [...sums] });
  }
  return [...points.values()];
}

function measuredEndpoints(experiment: AnalysedExperiment): readonly string[] {
  const parts = metricsOf(experiment).flatMap(({ metric }) => [...metric.parts, metric.prePeriod ?? []].flat());
  return [...new Set(parts.flatMap(({ values }) => (values.kind === 'sql' ? [] : [values.endpoint])))].sort();
}
