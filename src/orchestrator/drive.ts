// Drives a run that was taken on this machine's executor, to its end.

import { HeadraceError, toHeadraceError } from '../core/index.ts';
import { type DriveDeps, driveRun } from './driver/drive-run.ts';
import { openDriverClock } from './driver/driver-clock.ts';
import { openExecutors } from './driver/open-executors.ts';
import { sweepDrivers } from './executors/local/sweep.ts';
import { isOfThisHost } from './lease.ts';
import { sentenceOf } from './describe-edit.ts';
import type { OrchestratorDeps } from './orchestrator-deps.ts';
import type { Hold, RunStore } from './rows/run-store.ts';
import { failureTail } from './run-logs.ts';
import { reportTasks } from './task-reports.ts';
import { tellProgress } from './tell-progress.ts';

/** What it takes to drive a run that is there. */
export type DrivesRuns = Omit<OrchestratorDeps, 'definitions'>;

/**
 * Throws HR_STEP_FAILED, HR_CONFLICT where it was interrupted or another took it, and what kept the run from going on, such as
 * HR_STORAGE_FULL; it is let go then, also where that came before its first step.
 */
export async function drive(
  deps: DrivesRuns,
  store: RunStore,
  id: string,
  driver: string,
  hold: Hold,
): Promise<'succeeded' | 'cancelled'> {
  const resume = `\`headrace runs resume ${id}\` goes on from here`;
  const { end, error } = await driveToEnd(deps, store, id, driver, hold).catch(async (error: unknown) => {
    const { code, message } = toHeadraceError(error);
    if (code === 'HR_CONFLICT') throw error;
    await store.release(id, hold.epoch).catch(() => {}); // then its lease runs out
    const sentence = `run ${id} was stopped: ${message.replace(/\.$/, '')}. Once that is mended, ${resume}`;
    throw new HeadraceError(code, sentence, { cause: error });
  });
  if (end === 'failed') {
    const more = `${await failureTail(deps, store, id)}\n${resume}`;
    throw new HeadraceError('HR_STEP_FAILED', `run ${id}: ${error ?? 'a step failed'}${more}`);
  }
  if (end === 'interrupted') throw new HeadraceError('HR_CONFLICT', `run ${id} was interrupted; ${resume}`);
  return end;
}

async function driveToEnd(
  deps: DrivesRuns,
  store: RunStore,
  id: string,
  driver: string,
  hold: Hold,
): ReturnType<typeof driveRun> {
  const earlier = (await store.localDrivers(id)).filter(({ driver: one }) => one !== driver && isOfThisHost(one));
  // Also of tasks that do not go on by its rows: it may have been cancelled on another host.
  await sweepDrivers(
    deps.workDirectory,
    earlier.map((one) => one.driver),
  );
  const loaded = await store.load(id);
  const clock = await openDriverClock(deps.database);
  const { close, ...executors } = await openExecutors(deps, driver, loaded);
  const { signal, onTask, onProgress, onEdited } = deps;
  const progress = onProgress === undefined ? undefined : tellProgress(() => clock.nowMicros(), onProgress);
  const parts: DriveDeps = {
    store,
    objects: deps.objects,
    clock,
    logger: deps.logger,
    ...executors,
    pools: deps.pools ?? {},
    ...(deps.cacheReads === undefined ? {} : { cacheReads: deps.cacheReads }),
    ...(signal === undefined ? {} : { signal }),
    onChange: (run, batch) => {
      if (batch !== null && onTask !== undefined) reportTasks(run, batch, onTask);
      if (onEdited !== undefined)
        for (const event of batch?.events ?? []) if (event.kind === 'edited') onEdited(sentenceOf(event));
      progress?.changed(run);
    },
    ...(progress === undefined ? {} : { onPoolWait: progress.waits }),
  };
  try {
    return await driveRun(parts, loaded, hold);
  } finally {
    progress?.close();
    await close();
  }
}
