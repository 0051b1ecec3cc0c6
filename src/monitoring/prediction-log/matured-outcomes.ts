// Outcomes of predictions that are old enough, each by what was known of it at that age: of two arms the same time has passed,
// however late their outcomes come. Units, versions and revisions are read from the predictions' ids.

import type { Micros } from '../../core/index.ts';
import { type GroupedOutcomes, UNIT_GROUPS } from '../../statistics/index.ts';
import { type DuckDb, quoteText } from '../../storage/index.ts';
import type { LogRelation } from './log-relation.ts';
import { withLog } from './with-log.ts';

export interface MaturedQuestion {
  readonly directory: string;
  readonly endpoint: string;
  /** Predictions from then on. */
  readonly fromMicros: Micros;
  readonly nowMicros: Micros;
  readonly maturityMicros: Micros;
}

/** Of one version under one revision. */
export interface MaturedArm extends GroupedOutcomes {
  readonly version: number;
  readonly revision: number;
  /** Units with an outcome that is true, or not 0, and the minute in which the first was old enough. */
  readonly events: readonly { readonly unitHash: number; readonly minute: Micros }[];
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

export async function maturedOutcomes(duckdb: DuckDb, question: MaturedQuestion): Promise<MaturedArm[]> {
  const { directory, endpoint, fromMicros, nowMicros, maturityMicros } = question;
  const to = nowMicros - maturityMicros;
  if (to <= fromMicros) return [];
  // Outcomes of a unit are matched to predictions of all times.
  return withLog(duckdb, { directory, endpoint, from: fromMicros }, async (connection, log) => {
    await connection.run(`CREATE OR REPLACE TEMP TABLE matured AS ${maturedSql(log, to, maturityMicros)}`);
    const groups = await connection.runAndReadAll(`SELECT revision, version, (unit % ${UNIT_GROUPS})::INTEGER AS g, \
count(*)::DOUBLE, sum(value), sum(value * value) FROM matured GROUP BY ALL`);
    const events = await connection.runAndReadAll(`SELECT revision, version, unit::DOUBLE, \
min(epoch_us(matured_at) // 60000000)::DOUBLE * 60000000 FROM matured WHERE value <> 0 GROUP BY revision, version, unit`);
    await connection.run('DROP TABLE matured');
    return gather(groups.getRows(), events.getRows());
  });
}

/** One row an outcome: the newest that was recorded by the time that its prediction was so old. Rows that somebody chose tell nothing. */
function maturedSql({ predictions, recorded, matchedUnits }: LogRelation, to: Micros, maturityMicros: Micros): string {
  const told = `${recorded.byId} UNION ALL ${matchedUnits}`;
  const age = `to_microseconds(${maturityMicros})`;
  return `WITH old AS (SELECT prediction_id, endpoint, predicted_at FROM (${predictions}) \
WHERE predicted_at <= make_timestamp(${to}) AT TIME ZONE 'UTC' AND (via IS NULL OR via IN ('rollout', 'base'))), \
known AS (SELECT old.prediction_id, old.predicted_at + ${age} AS matured_at, told.outcome \
FROM old JOIN (${told}) told ON told.prediction_id = old.prediction_id AND told.endpoint = old.endpoint \
WHERE told.recorded_at <= old.predicted_at + ${age} \
QUALIFY row_number() OVER (PARTITION BY old.prediction_id ORDER BY told.recorded_at DESC, told.observed_at DESC, told.outcome::VARCHAR DESC) = 1), \
parts AS (SELECT string_split(prediction_id, '.') AS part, matured_at, outcome FROM known \
WHERE regexp_full_match(prediction_id, '[\\w-]+-[0-9a-z]+(\\.[0-9a-z]{1,10}){3}')), \
valued AS (SELECT ${base36('part[2]')} AS revision, ${base36('part[3]')} AS version, ${base36('part[4]')} AS unit, matured_at, \
CASE outcome::VARCHAR WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE CASE WHEN json_type(outcome) IN ('UBIGINT', 'BIGINT', 'DOUBLE') THEN try_cast(outcome AS DOUBLE) END END AS value FROM parts) \
SELECT * FROM valued WHERE value IS NOT NULL AND unit <> 0`;
}

const base36 = (text: string): string =>
  `list_reduce(list_transform(string_split(${text}, ''), lambda c: (strpos(${quoteText(DIGITS)}, c) - 1)::BIGINT), lambda a, b: a * 36 + b)`;

function gather(groups: readonly (readonly unknown[])[], events: readonly (readonly unknown[])[]): MaturedArm[] {
  const arms = new Map<
    string,
    MaturedArm & { n: number[]; sum: number[]; squares: number[]; events: { unitHash: number; minute: Micros }[] }
  >();
  const armOf = (revision: number, version: number) => {
    const key = `${revision} ${version}`;
    const zeros = (): number[] => Array.from({ length: UNIT_GROUPS }, () => 0);
    const arm = arms.get(key) ?? { revision, version, n: zeros(), sum: zeros(), squares: zeros(), events: [] };
    arms.set(key, arm);
    return arm;
  };
  for (const row of groups) {
    const [revision, version, g, n, sum, squares] = row.map(Number) as [number, number, number, number, number, number];
    const arm = armOf(revision, version);
    arm.n[g] = n;
    arm.sum[g] = sum;
    arm.squares[g] = squares;
  }
  for (const row of events) {
    const [revision, version, unitHash, minute] = row.map(Number) as [number, number, number, number];
    armOf(revision, version).events.push({ unitHash, minute });
  }
  return [...arms.values()];
}
