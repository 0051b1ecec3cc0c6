// The job of bandits: one server of many looks whose time has come. What they have learned is found in a process of its own, as
// monitors run: requests do not wait behind the log.

import { HeadraceError } from '../core/index.ts';
import type { BackgroundJob } from './background/background-job.ts';
import { experimentReportDeps } from './experiment-reports.ts';
import type { App } from './open-app.ts';
import { runMonitor } from './start-monitor-process.ts';

/** Weights change daily, or as often as a plan says; so late at most. */
const LOOK_MS = 60_000;
/** One that has learned too little to change anything stays due: it is not asked each minute. */
const AGAIN_MS = 10 * LOOK_MS;
/** Of all that are due. What they have not come to by then they are asked again. */
const LIMIT_MS = 15 * LOOK_MS;

export function banditJobs(app: App): readonly BackgroundJob[] {
  let looked: { readonly due: string; readonly atMs: number } | undefined;
  return [
    {
      name: 'bandits',
      everyMs: LOOK_MS,
      async run(signal) {
        const { dueBandits } = await import('../control/index.ts');
        const due = (await dueBandits({ experiments: await app.experiments(), clock: app.clock })).join(' ');
        // Nothing that was asked is due still: whatever comes next has not been asked.
        if (due === '') looked = undefined;
        if (due === '' || (due === looked?.due && performance.now() - looked.atMs < AGAIN_MS)) return;
        const limit = AbortSignal.timeout(LIMIT_MS);
        await runMonitor(app, 'bandits', AbortSignal.any([signal, limit]));
        if (limit.aborted && !signal.aborted)
          throw new HeadraceError('HR_DEADLINE', `weights of bandits were not found within ${LIMIT_MS / 60_000} min.`);
        looked = { due, atMs: performance.now() };
      },
    },
  ];
}

/** In that process. */
export async function runDueBandits(app: App, signal: AbortSignal): Promise<void> {
  const { runBandits } = await import('../control/index.ts');
  await runBandits({ ...(await experimentReportDeps(app)), logger: app.logger }, signal);
}
