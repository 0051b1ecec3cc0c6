// Reports as they were made, by what they were made of: the same snapshot once, the last of each experiment.

import { canonicalJson, formatTimestamp, parseJson, parseTimestamp } from '../../../core/index.ts';
import type { ExperimentReport } from '../report/experiment-report.ts';
import type { ExperimentDb } from './phases.ts';

/** Of one experiment; older ones go. */
const MOST_KEPT = 200;

export interface KeptReport {
  readonly phase: string;
  readonly snapshot: string;
  readonly made_at: string;
  readonly decision: string;
}

export async function keepReport(db: ExperimentDb, report: ExperimentReport): Promise<void> {
  const { name, phase, snapshot, made_at: madeAt, decision } = report;
  await db
    .insertInto('experiment_reports')
    .values({
      name,
      phase: String(phase),
      snapshot,
      made_at: parseTimestamp(madeAt) ?? 0,
      decision,
      report: canonicalJson(report),
    })
    .onConflict((conflict) => conflict.columns(['name', 'phase', 'snapshot']).doNothing())
    .execute();
  const stale = await db
    .selectFrom('experiment_reports')
    .select(['phase', 'snapshot'])
    .where('name', '=', name)
    .orderBy('made_at', 'desc')
    .offset(MOST_KEPT)
    .limit(MOST_KEPT)
    .execute();
  for (const old of stale)
    await db
      .deleteFrom('experiment_reports')
      .where('name', '=', name)
      .where('phase', '=', old.phase)
      .where('snapshot', '=', old.snapshot)
      .execute();
}

/** The newest first. */
export async function listReports(db: ExperimentDb, name: string): Promise<KeptReport[]> {
  const rows = await db
    .selectFrom('experiment_reports')
    .select(['phase', 'snapshot', 'made_at', 'decision'])
    .where('name', '=', name)
    .orderBy('made_at', 'desc')
    .execute();
  return rows.map((row) => ({ ...row, made_at: formatTimestamp(row.made_at) }));
}

/** Of one snapshot, whatever phase it is of, the newest. */
export async function findReport(
  db: ExperimentDb,
  name: string,
  snapshot: string,
): Promise<ExperimentReport | undefined> {
  const row = await db
    .selectFrom('experiment_reports')
    .select('report')
    .where('name', '=', name)
    .where('snapshot', '=', snapshot)
    .orderBy('made_at', 'desc')
    .executeTakeFirst();
  // Written from a report.
  return row === undefined ? undefined : (parseJson(row.report) as unknown as ExperimentReport);
}
