// Drives a run that was taken on this machine's executor, to its end.

import { HeadraceError } from '../core/index.ts';
import { driveRun } from './driver/drive-run.ts';
import { openExecutors } from './driver/open-executors.ts';
import type { OrchestratorDeps } from './orchestrator-deps.ts';
import type { Hold, RunStore } from './rows/run-store.ts';
import { failureTail } from './run-logs.ts';
import { progressOf } from './run-progress.ts';
import { reportTasks } from './task-reports.ts';

/** What it takes to drive a run that is there. */
export type DrivesRuns = Omit<OrchestratorDeps, 'definitions'>;

/** Throws HR_STEP_FAILED, and HR_CONFLICT where it was interrupted or another took it. */
export async function drive(
  deps: DrivesRuns,
  store: RunStore,
  id: string,
  driver: string,
  hold: Hold,
): Promise<'succeeded' | 'cancelled'> {
  const { executorOf, close } = await openExecutors(deps, id, driver, (await store.get(id)).run.spec);
  const { signal, onTask, onProgress } = deps;
  try {
    const { end, error } = await driveRun(
      {
        store,
        objects: deps.objects,
        clock: deps.clock,
        logger: deps.logger,
        executorOf,
        ...(signal === undefined ? {} : { signal }),
        onChange: (run, batch) => {
          if (batch !== null && onTask !== undefined) reportTasks(run, batch, onTask);
          onProgress?.(progressOf(run, deps.clock.nowMicros()));
        },
      },
      id,
      hold,
    );
    const resume = `\`headrace runs resume ${id}\` goes on from here`;
    if (end === 'failed')
      throw new HeadraceError(
        'HR_STEP_FAILED',
        `run ${id}: ${error ?? 'a step failed'}${await failureTail(deps, store, id)}\n${resume}`,
      );
    if (end === 'interrupted') throw new HeadraceError('HR_CONFLICT', `run ${id} was interrupted; ${resume}`);
    return end;
  } finally {
    await close();
  }
}
