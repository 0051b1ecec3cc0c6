// A quantile of each arm's values, and how sure it is when values of one unit belong together: by SQL, in three passes.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { MetricPartSpec } from '../../../definitions/index.ts';
import { type ArmEstimate, normalQuantile } from '../../../statistics/index.ts';
import type { PartValues } from './part-values.ts';

export interface ArmQuantile {
  readonly phase: number;
  readonly arm: number;
  readonly estimate: ArmEstimate;
}

/** Half of the stretch that the density is read from, in standard errors. */
const STRETCH = normalQuantile(0.975);

/**
 * Of Deng, Knoblich and Lu 2018, "Applying the delta method in metric analytics", 4.2, as `quantileEstimate` has it: the share
 * below is a ratio over units, s² = m/(m−1) Σ(b_u − q n_u)²/N²; the quantiles at q ∓ 1.96 s are as far apart as the interval is wide.
 */
export async function readQuantiles(
  connection: DuckDBConnection,
  part: MetricPartSpec,
  q: number,
  values: PartValues,
): Promise<readonly ArmQuantile[]> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE hr_single AS SELECT u.phase, u.arm, v.id, v.value FROM (${await values.single(part)}) v JOIN hr_units u ON u.id = v.id`,
  );
  const read = await connection.runAndReadAll(
    `WITH estimates AS (SELECT phase, arm, count(*)::DOUBLE AS n, quantile_cont(value, ${q}) AS estimate FROM hr_single GROUP BY phase, arm), \
unit AS (SELECT s.phase, s.arm, s.id, sum((s.value <= a.estimate)::INTEGER - ${q}::DOUBLE) AS part FROM hr_single s \
JOIN estimates a ON a.phase = s.phase AND a.arm = s.arm GROUP BY s.phase, s.arm, s.id), \
error AS (SELECT phase, arm, count(*)::DOUBLE AS m, fsum(part * part) AS squares FROM unit GROUP BY phase, arm) \
SELECT a.phase::INTEGER, a.arm::INTEGER, a.estimate::DOUBLE, e.m, sqrt(e.m / nullif(e.m - 1, 0) * e.squares) / a.n \
FROM estimates a JOIN error e ON e.phase = a.phase AND e.arm = a.arm ORDER BY a.phase, a.arm`,
  );
  const found: ArmQuantile[] = [];
  for (const [phase, arm, estimate, m, s] of read.getRows().map((row) => row.map(Number))) {
    if (s === undefined || !(s > 0)) continue;
    const [low, high] = [q - STRETCH * s, q + STRETCH * s].map((share) => Math.min(1, Math.max(0, share)));
    const ends = await connection.runAndReadAll(
      `SELECT quantile_cont(value, ${high}) - quantile_cont(value, ${low}) FROM hr_single WHERE phase = ${phase} AND arm = ${arm}`,
    );
    const width = Number(ends.getRows()[0]?.[0]);
    found.push({
      phase: phase as number,
      arm: arm as number,
      estimate: { estimate: estimate as number, variance: (width / (2 * STRETCH)) ** 2, n: m as number },
    });
  }
  return found;
}
