// Makes a run where a pipeline's trigger has something new: once for all that came since the run before, whoever looks.

import {
  type Clock,
  HeadraceError,
  type Micros,
  messageOf,
  MICROS_PER_MINUTE,
  stringifyJson,
} from '../../core/index.ts';
import type { PipelineSpec, TriggerSpec } from '../../definitions/index.ts';
import { checkPools } from '../check-pools.ts';
import type { PoolSizes } from '../driver/ask-for-slots.ts';
import type { RunStore, RunTrigger, StoredRun } from '../rows/run-store.ts';
import { newRunId } from '../run-id.ts';
import { type AppliedPipelines, newRunOf } from './make-runs.ts';
import type { TriggerRow, TriggerRows } from './trigger-rows.ts';

/** The position of the last record that a trigger is about, by its owner: it rises with each, and is 0 before the first. */
export type TriggerPosition = (trigger: TriggerSpec) => Promise<number>;

export interface AnswersTriggers {
  readonly store: RunStore;
  readonly triggers: TriggerRows;
  readonly clock: Clock;
  readonly pools?: PoolSizes;
  readonly positionOf: TriggerPosition;
  readonly onFailed: (pipeline: string, reason: string) => void;
}

/** Of pushes: from one run to the next, where the trigger does not say. */
const PUSHED_EVERY: Micros = MICROS_PER_MINUTE;

/**
 * One look. A trigger counts from when it was first seen. While the run that it made before has not ended, what comes waits, and
 * is answered by one run after it. A pipeline whose run can't be made is told by `onFailed`, and its run stays owed.
 */
export async function answerTriggers(deps: AnswersTriggers, applied: AppliedPipelines): Promise<void> {
  const rows = new Map((await deps.triggers.list()).map((row) => [stringifyJson([row.pipeline, row.trigger]), row]));
  for (const pipeline of Object.values(applied.manifest.pipelines)) {
    for (const spec of pipeline.on ?? []) {
      const trigger = stringifyJson(subjectOf(spec));
      const key = stringifyJson([pipeline.name, trigger]);
      const row = rows.get(key);
      rows.delete(key);
      try {
        checkPools(pipeline, deps.pools ?? {});
        await answer(deps, applied, { pipeline, spec, trigger, row });
      } catch (error) {
        // The database is away: nothing else can be looked at, either.
        if (!(error instanceof HeadraceError) || error.code !== 'HR_INVALID') throw error;
        deps.onFailed(pipeline.name, messageOf(error));
      }
    }
  }
  for (const row of rows.values()) await deps.triggers.forget(row, applied.revision);
}

interface OneTrigger {
  readonly pipeline: PipelineSpec;
  readonly spec: TriggerSpec;
  readonly trigger: string;
  readonly row: TriggerRow | undefined;
}

async function answer(
  { store, triggers, clock, positionOf }: AnswersTriggers,
  { revision, hash }: AppliedPipelines,
  { pipeline, spec, trigger, row }: OneTrigger,
): Promise<void> {
  const make = async (run: string, after: number, through: number): Promise<void> => {
    const cause: RunTrigger = { kind: spec.kind, of: nameOf(spec), after, through };
    // Its time tells schedulers that it is theirs to go on with. Where a schedule has a run for the very same one, it is the next.
    for (let tick = clock.nowMicros(); ; tick++) {
      const made = newRunOf(pipeline, { id: run, tick, manifestHash: hash, state: 'queued' });
      if ((await store.create({ ...made, trigger: cause })).id === run) break;
    }
    await triggers.made({ pipeline: pipeline.name, trigger }, run);
  };
  // Whoever was to make it died before, or is stopped: the same run is made once.
  if (row !== undefined && !row.isMade && row.run !== null) await make(row.run, row.after, row.position);
  const position = await positionOf(spec);
  if (row === undefined) {
    await triggers.begin({ pipeline: pipeline.name, trigger, revision, position });
    return;
  }
  if (position <= row.position || !isDue(spec, await lastRun(store, row), clock.nowMicros())) return;
  const run = newRunId(clock.nowMicros());
  if (await triggers.claim(row, position, run)) await make(run, row.position, position);
}

/** What it is about, without how often: of that alone there is a cursor. */
export function subjectOf(spec: TriggerSpec): TriggerSpec {
  return spec.kind === 'pushed' ? { kind: spec.kind, source: spec.source } : spec;
}

function nameOf(spec: TriggerSpec): string {
  switch (spec.kind) {
    case 'materialized':
      return spec.view;
    case 'pushed':
      return spec.source;
    case 'drift':
      return spec.endpoint;
  }
}

/** Undefined where there was none, or it is gone since. */
async function lastRun(store: RunStore, { run }: TriggerRow): Promise<StoredRun | undefined> {
  if (run === null) return undefined;
  try {
    return (await store.get(run)).run;
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_UNKNOWN_RUN') return undefined;
    throw error;
  }
}

function isDue(spec: TriggerSpec, last: StoredRun | undefined, now: Micros): boolean {
  if (last === undefined) return true;
  if (last.state === 'queued' || last.state === 'running') return false;
  if (spec.kind !== 'pushed') return true;
  const since = now - (last.tick ?? 0);
  // A clock that was set back is waited for no longer than one that was not.
  return since < 0 || since >= (spec.everyMicros ?? PUSHED_EVERY);
}
