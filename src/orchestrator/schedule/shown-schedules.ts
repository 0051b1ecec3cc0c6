// Schedules and triggers as people look at them: what is due when, what came of the last times, and who looks.

import {
  type Clock,
  HeadraceError,
  didYouMeanOf,
  type Micros,
  MICROS_PER_SECOND,
  stringifyJson,
} from '../../core/index.ts';
import type { PipelineSpec, TriggerSpec } from '../../definitions/index.ts';
import type { Database } from '../../storage/index.ts';
import { openRunStore } from '../rows/open-run-store.ts';
import type { RunStore } from '../rows/run-store.ts';
import { type RunSummary, summaryOf } from '../shown-runs.ts';
import { subjectOf, type TriggerPosition } from './answer-triggers.ts';
import { NO_COUNTS, type ScheduleCounts } from './count-rows.ts';
import { type AppliedPipelines, placeOf, scheduleText } from './make-runs.ts';
import { type GcSchedule, ownSchedules } from './own-pipelines.ts';
import { type LeftOut, openSchedules, type ScheduleRow } from './schedule-rows.ts';
import type { SchedulerRow } from './scheduler-rows.ts';
import { type Schedule, scheduleOf, ticksBetween } from './ticks.ts';
import { openTriggerRows, type TriggerRow } from './trigger-rows.ts';

export interface ShowsSchedules {
  readonly database: Database;
  /** The one that schedulers go by, which is the database's. */
  readonly clock: Clock;
  readonly applied: () => Promise<AppliedPipelines | undefined>;
  readonly positionOf: TriggerPosition;
  readonly gc?: GcSchedule | undefined;
}

export interface ShownTrigger {
  readonly spec: TriggerSpec;
  /** The last of its owner's records: a count of rows, a run of materialize, a time. */
  readonly position: number;
  /** Up to where runs have answered it, or from where they will; null before a scheduler has seen it. */
  readonly answered: number | null;
}

export interface ShownSchedule {
  readonly name: string;
  /** Null where triggers alone start it. */
  readonly schedule: Schedule | null;
  readonly catchUp: 'latest' | 'all' | 'none';
  readonly overlap: 'queue' | 'skip' | 'cancel';
  readonly concurrency: number | null;
  readonly triggers: readonly ShownTrigger[];
  /** False before a scheduler has seen the schedule as it is now: it counts from then on. */
  readonly isSeen: boolean;
  /** The coming times. */
  readonly next: readonly Micros[];
  /** The first time that has been due for 5 s, and that no scheduler has looked at. */
  readonly owedSince: Micros | null;
  readonly leftOut: LeftOut | null;
  readonly counts: ScheduleCounts;
  /** Of its ticks and triggers, the latest first. */
  readonly runs: readonly RunSummary[];
}

export interface ShownSchedules {
  readonly nowMicros: Micros;
  /** Those that told of themselves within a day, the last one first. */
  readonly schedulers: readonly SchedulerRow[];
  /** By name; those of Headrace's own last. */
  readonly schedules: readonly ShownSchedule[];
}

/** Of each: `runs` of the last runs, `next` of the coming times. */
export interface ShowSchedules {
  /** Of this pipeline alone. */
  readonly name?: string | undefined;
  readonly runs: number;
  readonly next: number;
}

/** Throws HR_UNKNOWN_PIPELINE for a name that has neither a schedule nor a trigger. */
export async function showSchedules(
  deps: ShowsSchedules,
  { name, runs, next }: ShowSchedules,
): Promise<ShownSchedules> {
  const store = await openRunStore(deps.database, deps.clock);
  const opened = await openSchedules(deps.database);
  const triggerRows = await openTriggerRows(deps.database);
  const applied = await deps.applied();
  const pipelines = applied === undefined ? [] : [...scheduledOf(applied), ...ownSchedules(applied.manifest, deps.gc)];
  const wanted = name === undefined ? pipelines : pipelines.filter((one) => one.name === name);
  if (name !== undefined && wanted.length === 0) throw unscheduled(name, pipelines);
  const rows = new Map((await opened.schedules.list()).map((row) => [row.pipeline, row]));
  const triggers = await triggerRows.list();
  const counts = await opened.schedules.counts();
  const now = deps.clock.nowMicros();
  const shown: ShownSchedule[] = [];
  for (const pipeline of wanted) {
    const schedule = scheduleOf(pipeline);
    shown.push({
      name: pipeline.name,
      catchUp: pipeline.catchUp ?? 'latest',
      overlap: pipeline.overlap ?? 'queue',
      concurrency: pipeline.concurrency ?? null,
      ...(schedule === undefined
        ? UNSCHEDULED
        : scheduled(schedule, rows.get(placeOf(pipeline, schedule)), { now, next })),
      triggers: await triggersOf(pipeline, triggers, deps.positionOf),
      counts: counts.get(pipeline.name) ?? NO_COUNTS,
      runs: await lastRuns(store, pipeline.name, runs),
    });
  }
  return { nowMicros: now, schedulers: await opened.schedulers.list(), schedules: shown };
}

/** Schedulers look each second. */
const LOOKED_AT_WITHIN: Micros = 5 * MICROS_PER_SECOND;

const UNSCHEDULED = { schedule: null, isSeen: true, next: [], owedSince: null, leftOut: null } as const;

function scheduled(
  schedule: Schedule,
  row: ScheduleRow | undefined,
  { now, next }: { readonly now: Micros; readonly next: number },
): Pick<ShownSchedule, 'schedule' | 'isSeen' | 'next' | 'owedSince' | 'leftOut'> {
  const isSeen = row?.schedule === scheduleText(schedule);
  const coming: Micros[] = [];
  for (const tick of next === 0 ? [] : ticksBetween(schedule, now, Infinity)) {
    coming.push(tick);
    if (coming.length === next) break;
  }
  const [owed = null] = isSeen ? ticksBetween(schedule, row.dueAfter, now - LOOKED_AT_WITHIN) : [];
  return { schedule, isSeen, next: coming, owedSince: owed, leftOut: row?.leftOut ?? null };
}

async function triggersOf(
  { name, on = [] }: PipelineSpec,
  rows: readonly TriggerRow[],
  positionOf: TriggerPosition,
): Promise<readonly ShownTrigger[]> {
  const shown: ShownTrigger[] = [];
  for (const spec of on) {
    const subject = stringifyJson(subjectOf(spec));
    const row = rows.find(({ pipeline, trigger }) => pipeline === name && trigger === subject);
    shown.push({ spec, position: await positionOf(spec), answered: row?.position ?? null });
  }
  return shown;
}

async function lastRuns(store: RunStore, pipeline: string, limit: number): Promise<readonly RunSummary[]> {
  return limit === 0 ? [] : (await store.list({ pipeline, byTick: true, limit })).map(summaryOf);
}

function scheduledOf({ manifest }: AppliedPipelines): readonly PipelineSpec[] {
  return Object.values(manifest.pipelines).filter(({ schedule, on = [] }) => schedule !== undefined || on.length > 0);
}

function unscheduled(name: string, pipelines: readonly PipelineSpec[]): HeadraceError {
  const near = didYouMeanOf(
    'schedules',
    name,
    pipelines.map((one) => one.name),
  );
  return new HeadraceError(
    'HR_UNKNOWN_PIPELINE',
    `nothing that is applied has the name "${name.slice(0, 200)}" and a schedule or a trigger.${near}`,
  );
}
