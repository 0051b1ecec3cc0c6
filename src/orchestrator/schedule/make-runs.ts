// Makes the runs that schedules owe: one a pipeline and tick, whoever looks and however often.

import { type Clock, formatTimestamp, type Micros, messageOf, stringifyJson } from '../../core/index.ts';
import type { Manifest, PipelineSpec } from '../../definitions/index.ts';
import { checkPools } from '../check-pools.ts';
import { checkRunnable } from '../check-runnable.ts';
import type { PoolSizes } from '../driver/ask-for-slots.ts';
import { firstRows, graphOf } from '../engine/graph.ts';
import type { NewRun, RunStore } from '../rows/run-store.ts';
import { resolveParams } from '../run-params.ts';
import { GC, type GcSchedule, ownSchedules } from './own-pipelines.ts';
import type { ScheduleRow, ScheduleRows } from './schedule-rows.ts';
import { dueTicks, PUNCTUAL_MICROS, type Schedule, scheduleOf, ticksLeftOut } from './ticks.ts';

/** What is applied, as the registry gives it. */
export interface AppliedPipelines {
  readonly revision: number;
  readonly hash: string;
  readonly manifest: Pick<Manifest, 'pipelines'> & Partial<Pick<Manifest, 'views'>>;
}

/** Of one pipeline in a look: those owed beyond it are made by the next. */
const MOST_AT_ONCE = 100;

/**
 * One look. A schedule is due from the instant at which it was first seen, or seen to have changed. What keeps a pipeline's runs
 * from being made is told by `onFailed`, and its ticks stay owed.
 */
export async function makeRuns(
  deps: {
    readonly store: RunStore;
    readonly schedules: ScheduleRows;
    readonly clock: Clock;
    readonly pools?: PoolSizes;
    /** When gc runs; left out, by no schedule. */
    readonly gc?: GcSchedule | undefined;
    readonly onFailed: (pipeline: string, reason: string) => void;
  },
  applied: AppliedPipelines,
): Promise<void> {
  const { schedules, clock } = deps;
  const rows = new Map((await schedules.list()).map((row) => [row.pipeline, row]));
  for (const pipeline of [...Object.values(applied.manifest.pipelines), ...ownSchedules(applied.manifest, deps.gc)]) {
    const schedule = scheduleOf(pipeline);
    if (schedule === undefined) continue;
    const text = scheduleText(schedule);
    const name = placeOf(pipeline, schedule);
    const row = rows.get(name);
    rows.delete(name);
    const now = clock.nowMicros();
    if (row?.schedule === text) {
      try {
        await makeDue(deps, { pipeline, schedule, row, now, manifestHash: applied.hash });
      } catch (error) {
        deps.onFailed(pipeline.name, messageOf(error));
      }
    } else {
      const begun = { pipeline: name, schedule: text, revision: applied.revision, dueAfter: now };
      await schedules.begin(begun);
    }
  }
  // What a configuration says is not for the definitions to forget.
  const gone = [...rows.keys()].filter((name) => !name.startsWith(GC));
  await schedules.forget(gone, applied.revision);
}

/** By which a schedule that was changed is told from the one before. */
export function scheduleText({ cron, timezone }: Schedule): string {
  return stringifyJson([cron, timezone]);
}

/** The name of its row. Configurations may differ from machine to machine: each keeps its own place. */
export function placeOf({ name }: PipelineSpec, schedule: Schedule): string {
  return name === GC ? `${GC} ${scheduleText(schedule)}` : name;
}

async function makeDue(
  {
    store,
    schedules,
    pools,
  }: {
    readonly store: RunStore;
    readonly schedules: ScheduleRows;
    readonly pools?: PoolSizes;
  },
  {
    pipeline,
    schedule,
    row,
    now,
    manifestHash,
  }: {
    readonly pipeline: PipelineSpec;
    readonly schedule: Schedule;
    readonly row: ScheduleRow;
    readonly now: Micros;
    readonly manifestHash: string;
  },
): Promise<void> {
  // A clock was ahead by more than schedulers' clocks differ: ticks that come again find their runs.
  if (row.dueAfter > now + PUNCTUAL_MICROS) return schedules.move(row, now);
  const ticks = dueTicks(schedule, pipeline.catchUp, { from: row.dueAfter, now, limit: MOST_AT_ONCE });
  if (ticks.length > 0) checkPools(pipeline, pools ?? {});
  for (const tick of ticks) {
    const state = 'queued';
    const made = await store.create(newRunOf(pipeline, { tick, manifestHash, state }));
    const late = now - tick > PUNCTUAL_MICROS ? 1 : 0;
    if (made.isNew) await schedules.count(pipeline.name, { made: 1, late });
  }
  const last = ticks.at(-1);
  // Those that are made in pieces are all made.
  const isWhole = pipeline.catchUp === 'all' || now - row.dueAfter <= PUNCTUAL_MICROS;
  const left = isWhole ? undefined : ticksLeftOut(schedule, ticks, { from: row.dueAfter, now });
  if (last === undefined && left === undefined) return;
  const to = last !== undefined && ticks.length === MOST_AT_ONCE ? last : now;
  await schedules.move(row, to, left && { counted: pipeline.name, leftOut: { ...left, at: now } });
}

/** A run for a tick. Its parameter `tick`, where it is declared as a timestamp, is that time. Throws HR_INVALID. */
export function newRunOf(
  pipeline: PipelineSpec,
  {
    tick,
    params = {},
    ...of
  }: Pick<NewRun, 'id' | 'manifestHash' | 'state'> & {
    readonly tick: Micros;
    readonly params?: Readonly<Record<string, unknown>>;
  },
): NewRun {
  checkRunnable(pipeline);
  const isTold = pipeline.params.some(({ name, type }) => name === 'tick' && type.kind === 'timestamp');
  return {
    ...of,
    pipeline,
    params: resolveParams(pipeline, isTold ? { tick: formatTimestamp(tick), ...params } : params),
    tick,
    keepGoing: false,
    steps: firstRows(graphOf(pipeline)),
  };
}
