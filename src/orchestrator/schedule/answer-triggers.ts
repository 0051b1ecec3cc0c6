// Makes a run where a pipeline's trigger has something new: once for all that came since the run before, whoever looks.

import { type Clock, HeadraceError, messageOf, stringifyJson } from '../../core/index.ts';
import type { TriggerSpec } from '../../definitions/index.ts';
import { checkPools } from '../check-pools.ts';
import type { PoolSizes } from '../driver/ask-for-slots.ts';
import type { RunStore } from '../rows/run-store.ts';
import { newRunId } from '../run-id.ts';
import { type AppliedPipelines, newRunOf } from './make-runs.ts';
import type { TriggerRow, TriggerRows } from './trigger-rows.ts';

/**
 * The position of the last record that a trigger is about, by its owner: it rises with each, and is 0 before the first. Undefined
 * where none tells of it.
 */
export type TriggerPosition = (trigger: TriggerSpec) => Promise<number | undefined>;

/**
 * One look. A trigger counts from when it was first seen. While the run that it made before has not ended, what comes waits, and
 * is answered by one run after it.
 */
export async function answerTriggers(
  deps: {
    readonly store: RunStore;
    readonly triggers: TriggerRows;
    readonly clock: Clock;
    readonly pools?: PoolSizes;
    readonly positionOf: TriggerPosition;
    readonly onFailed: (pipeline: string, reason: string) => void;
  },
  applied: AppliedPipelines,
): Promise<void> {
  const { store, triggers, clock, pools = {}, positionOf } = deps;
  const rows = new Map((await triggers.list()).map((row) => [stringifyJson([row.pipeline, row.trigger]), row]));
  for (const pipeline of Object.values(applied.manifest.pipelines)) {
    for (const spec of pipeline.on ?? []) {
      const trigger = stringifyJson(spec);
      const key = stringifyJson([pipeline.name, trigger]);
      const row = rows.get(key);
      rows.delete(key);
      try {
        checkPools(pipeline, pools);
      } catch (error) {
        deps.onFailed(pipeline.name, messageOf(error));
        continue;
      }
      const make = async (run: string): Promise<void> => {
        // Its time tells schedulers that it is theirs to go on with.
        const tick = clock.nowMicros();
        await store.create(newRunOf(pipeline, { id: run, tick, manifestHash: applied.hash, state: 'queued' }));
        await triggers.made({ pipeline: pipeline.name, trigger }, run);
      };
      if (row !== undefined && !row.isMade && row.run !== null) await make(row.run);
      const position = await positionOf(spec);
      if (position === undefined) {
        deps.onFailed(pipeline.name, `${spec.kind}(…) starts no runs yet`);
      } else if (row === undefined) {
        await triggers.begin({ pipeline: pipeline.name, trigger, position });
      } else if (position > row.position && (await isAnswered(store, row))) {
        const run = newRunId(clock.nowMicros());
        if (await triggers.claim(row, position, run)) await make(run);
      }
    }
  }
  for (const row of rows.values()) await triggers.forget(row);
}

/** Whether the run before has ended, or is gone since. */
async function isAnswered(store: RunStore, { run }: TriggerRow): Promise<boolean> {
  if (run === null) return true;
  try {
    const { state } = (await store.get(run)).run;
    return state !== 'queued' && state !== 'running';
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_UNKNOWN_RUN') return true;
    throw error;
  }
}
