// One run over an endpoint's log: each day of which more is known than before is measured again, and alerts hear of it.

import { type Clock, formatTimestamp, type Json, MICROS_PER_DAY } from '../../core/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import type { Alerts } from '../alerts/alert.ts';
import type { LoggedArm } from '../drift/count-window.ts';
import { withLog } from '../prediction-log/with-log.ts';
import { judgeDays, type JudgedDay } from './judge-quality.ts';
import { coverageByAge, type LoggedDay, loggedDays, loadQualityRows, whatIsPredicted } from './load-rows.ts';
import { measureDays } from './measure.ts';
import type { QualityDay, QualityStore } from './quality-store.ts';
import { LEAST_LABELLED, worstSegments } from './segments.ts';

export interface QualityDeps {
  readonly store: QualityStore;
  readonly duckdb: DuckDb;
  readonly directory: string;
  readonly alerts: Pick<Alerts, 'observe'>;
  readonly clock: Clock;
  /** What the version was registered with, by name. */
  metrics(arm: LoggedArm): Promise<Readonly<Record<string, number>>>;
}

/** Outcomes may come so late. */
const LOOK_BACK_DAYS = 60;
/** Of so many days slices are made. */
const SEGMENT_DAYS = 14;
const DAYS_KEPT = 730;
const OPENS_AFTER = 2;
const CLOSES_AFTER = 3;

/** Gives how many days were measured. */
export async function runQuality(deps: QualityDeps, endpoint: string, signal: AbortSignal): Promise<number> {
  const { store, clock } = deps;
  const now = clock.nowMicros();
  const today = Math.floor(now / MICROS_PER_DAY);
  const first = today - LOOK_BACK_DAYS;
  await store.forget(today - DAYS_KEPT);
  const range = { from: first * MICROS_PER_DAY, to: now, endpoint };
  const measured = await withLog(deps.duckdb, { ...range, directory: deps.directory }, async (connection, log) => {
    await connection.run(`CREATE TEMP VIEW predictions AS ${log.sql}`);
    const known = await store.days(endpoint, first);
    const logged = await loggedDays(connection);
    let count = 0;
    for (const ofArm of Map.groupBy(logged, ({ arm }) => keyOf(arm)).values()) {
      if (signal.aborted) break;
      const [{ arm }] = ofArm as [LoggedDay];
      const changed = ofArm.filter((day) => isNews(day, known));
      const predicted = changed.length === 0 ? undefined : await whatIsPredicted(connection, arm);
      if (predicted === undefined) continue;
      const rowsOf = (days: readonly LoggedDay[]): number => days.reduce((sum, { rows }) => sum + rows, 0);
      await loadQualityRows(
        connection,
        arm,
        changed.map(({ day }) => day),
        predicted,
        rowsOf(changed),
      );
      const found = await measureDays(connection, predicted.task);
      await store.saveDays(
        endpoint,
        found.map((day): QualityDay => {
          const own = changed.find((one) => one.day === day.day) as LoggedDay;
          // Of a sample the counts are those of the whole.
          const { rows, labelled, recordedMicros } = own;
          return { ...day, rows, labelled, arm, task: predicted.task, recordedMicros };
        }),
      );
      count += found.length;
      const recent = slicedDays(ofArm);
      let segments = null;
      if (recent.length > 0) {
        await loadQualityRows(
          connection,
          arm,
          recent.map(({ day }) => day),
          predicted,
          rowsOf(recent),
        );
        segments = await worstSegments(connection, predicted);
      }
      const coverage = await coverageByAge(connection, arm, now);
      await store.saveArm(endpoint, { arm, measuredMicros: now, task: predicted.task, coverage, segments });
    }
    return count;
  });
  await tellQuality(deps, endpoint, today);
  return measured;
}

const keyOf = ({ variant, model, version }: LoggedArm): string => `${variant} ${model} ${version}`;

/** The newest days with outcomes, where those are enough; else the newest. */
function slicedDays(days: readonly LoggedDay[]): readonly LoggedDay[] {
  const known = days.filter(({ labelled }) => labelled > 0).slice(-SEGMENT_DAYS);
  const labelled = known.reduce((sum, one) => sum + one.labelled, 0);
  return labelled >= LEAST_LABELLED ? known : days.slice(-SEGMENT_DAYS);
}

/** Of one that retention has taken rows from nothing new is known. */
function isNews({ arm, day, rows, labelled, recordedMicros }: LoggedDay, known: readonly QualityDay[]): boolean {
  const had = known.find((one) => one.day === day && keyOf(one.arm) === keyOf(arm));
  if (had === undefined) return true;
  if (rows < had.rows) return false;
  return rows > had.rows || labelled !== had.labelled || recordedMicros > had.recordedMicros;
}

async function tellQuality({ store, alerts, metrics }: QualityDeps, endpoint: string, today: number): Promise<void> {
  const days = (await store.days(endpoint, today - LOOK_BACK_DAYS)).filter(({ day }) => day < today);
  const byDay = new Map<number, { readonly arm: LoggedArm; readonly judged: JudgedDay }[]>();
  for (const ofArm of Map.groupBy(days, ({ arm }) => keyOf(arm)).values()) {
    const [{ arm, task }] = ofArm.slice(-1) as [QualityDay];
    const own = ofArm.filter((one) => one.task === task);
    for (const judged of judgeDays(own, task, await metrics(arm))) {
      const there = byDay.get(judged.day) ?? [];
      byDay.set(judged.day, there);
      there.push({ arm, judged });
    }
  }
  for (const [day, arms] of [...byDay].sort(([a], [b]) => a - b)) {
    for (const [figure, own] of Map.groupBy(arms, ({ judged }) => judged.figure)) {
      const verdicts = own.map(({ judged }) => judged.verdict);
      await alerts.observe({
        rule: 'quality',
        endpoint,
        feature: figure,
        state: (['firing', 'between', 'ok'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'no_data',
        evidence: evidenceOf(day, own),
        at: (day + 1) * MICROS_PER_DAY,
        opensAfter: OPENS_AFTER,
        closesAfter: CLOSES_AFTER,
      });
    }
  }
}

function evidenceOf(day: number, arms: readonly { readonly arm: LoggedArm; readonly judged: JudgedDay }[]): Json {
  const [from, to] = [formatTimestamp(day * MICROS_PER_DAY), formatTimestamp((day + 1) * MICROS_PER_DAY)];
  return {
    window: { from, to },
    rows: arms.reduce((sum, { judged }) => sum + judged.labelled, 0),
    arms: arms.map(({ arm, judged: { figure, value, expected, against, z, labelled, coverage } }) => ({
      variant: arm.variant,
      version: arm.version,
      figure,
      value,
      expected,
      against,
      z,
      rows: labelled,
      coverage,
    })),
  };
}
