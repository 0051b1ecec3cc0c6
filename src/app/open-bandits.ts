// The job of bandits: one server of many looks whose time has come.

import type { BackgroundJob } from './background/background-job.ts';
import { experimentReportDeps } from './experiment-reports.ts';
import type { App } from './open-app.ts';

/** Weights change daily, or as often as a plan says; so late at most. */
const LOOK_MS = 60_000;

export function banditJobs(app: App): readonly BackgroundJob[] {
  return [
    {
      name: 'bandits',
      everyMs: LOOK_MS,
      async run(signal) {
        const { runBandits } = await import('../control/index.ts');
        await runBandits({ ...(await experimentReportDeps(app)), logger: app.logger }, signal);
      },
    },
  ];
}
