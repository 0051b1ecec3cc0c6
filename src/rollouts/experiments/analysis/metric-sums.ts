// A metric's sums by phase and arm, which is all that statistics need of the rows.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { MetricAggregate, MetricSpec } from '../../../definitions/index.ts';
import type { GroupSums, PairSums } from '../../../statistics/index.ts';
import { type PartTable, type PartValues, unitNumber } from './part-values.ts';
import { GROUPS } from './exposures.ts';

/** By phase and arm; arms without a unit are left out. */
export interface ArmSums {
  readonly phase: number;
  readonly arm: number;
  /** y: the value, or a ratio's numerator; x: its denominator, or the value before. 0 where there is neither. */
  readonly sums: PairSums;
  /** Units whose y isn't 0. */
  readonly events: number;
  /** y and the units (or the denominator) by group. */
  readonly groups: GroupSums;
}

export interface MetricSums {
  /** Of a ratio, the numerator's. */
  readonly aggregate: MetricAggregate;
  readonly arms: readonly ArmSums[];
}

export async function readMetricSums(
  connection: DuckDBConnection,
  metric: MetricSpec,
  values: PartValues,
): Promise<MetricSums> {
  const [first, second] = metric.parts;
  // The schema has one part at least.
  const y = await values.open(first as MetricSpec['parts'][number], 'after');
  const x =
    second === undefined
      ? metric.prePeriod && (await values.open(metric.prePeriod, 'before'))
      : await values.open(second, 'after');
  const isRatio = second !== undefined;
  const xNumber = x === undefined ? '0::DOUBLE' : isRatio ? unitNumber(x) : `coalesce(${unitNumber(x)}, 0)`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE hr_metric AS SELECT u.phase, u.arm, u.grp, ${unitNumber(y)} AS y, ${xNumber} AS x \
FROM hr_units u ${[y, x].flatMap((table) => (table === undefined ? [] : [leftJoin(table)])).join(' ')} \
WHERE (${unitNumber(y)}) IS NOT NULL AND (${xNumber}) IS NOT NULL`,
  );
  await winsorise(connection, metric, isRatio);
  const read = await connection.runAndReadAll(
    `SELECT phase::INTEGER, arm::INTEGER, grp::INTEGER, count(*)::DOUBLE, fsum(y), fsum(y * y), fsum(x), fsum(x * x), fsum(x * y), \
count(*) FILTER (y <> 0)::DOUBLE FROM hr_metric GROUP BY phase, arm, grp ORDER BY phase, arm, grp`,
  );
  return {
    aggregate: y.aggregate,
    arms: bySum(
      read.getRows().map((row) => row.map(Number)),
      isRatio,
    ),
  };
}

const leftJoin = ({ name }: PartTable): string => `LEFT JOIN ${name} ON ${name}.id = u.id`;

function bySum(rows: readonly (readonly number[])[], isRatio: boolean): ArmSums[] {
  const made = new Map<string, { phase: number; arm: number; sums: number[]; y: Float64Array; n: Float64Array }>();
  for (const [phase = 0, arm = 0, group = 0, ...parts] of rows) {
    const key = `${phase}/${arm}`;
    const one = made.get(key) ?? {
      phase,
      arm,
      sums: parts.map(() => 0),
      y: new Float64Array(GROUPS),
      n: new Float64Array(GROUPS),
    };
    made.set(key, one);
    parts.forEach((part, i) => (one.sums[i] = (one.sums[i] ?? 0) + part));
    const [n = 0, y = 0, , x = 0] = parts;
    one.y[group] = y;
    one.n[group] = isRatio ? x : n;
  }
  return Array.from(made.values(), ({ phase, arm, sums, y: groupY, n: groupN }) => {
    const [n = 0, y = 0, yy = 0, x = 0, xx = 0, xy = 0, events = 0] = sums;
    return { phase, arm, sums: { n, y, yy, x, xx, xy }, events, groups: { y: groupY, n: groupN } };
  });
}

/** By quantiles of all arms' units together; cut apart, arms would differ by their cuts. A ratio's denominator stays. */
async function winsorise(connection: DuckDBConnection, { winsorize }: MetricSpec, isRatio: boolean): Promise<void> {
  if (winsorize === undefined) return;
  const { lower, upper } = winsorize;
  const at = (share: number | undefined): string => (share === undefined ? 'NULL' : `quantile_disc(y, ${share})`);
  // Of those that have something, in a ratio: the others are not rows of it.
  const read = await connection.runAndReadAll(
    `SELECT ${at(lower)}, ${at(upper)} FROM hr_metric${isRatio ? ' WHERE x <> 0' : ''}`,
  );
  const [low, high] = (read.getRows()[0] ?? []).map((value) => (value === null ? undefined : Number(value)));
  const bounded = [...(low === undefined ? [] : [`greatest(${low}`]), ...(high === undefined ? [] : [`least(${high}`])];
  if (bounded.length > 0)
    await connection.run(`UPDATE hr_metric SET y = ${bounded.join(', ')}, y${')'.repeat(bounded.length)}`);
}
