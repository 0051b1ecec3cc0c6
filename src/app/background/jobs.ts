// The jobs of a server. A new one adds its line.

import type { ViewStatus } from '../../control/index.ts';
import type { App } from '../open-app.ts';
import { banditJobs } from '../open-bandits.ts';
import { minuteJobs } from '../open-minutes.ts';
import { rolloutJobs } from '../open-rollout-controller.ts';
import { schedulerJobs } from '../open-scheduler.ts';
import type { BackgroundJob } from './background-job.ts';
import { monitoringJobs } from './monitoring-jobs.ts';

export interface JobDeps {
  readonly app: App;
  /** Every version of every view, as it is now. */
  readonly views: () => Promise<readonly ViewStatus[]>;
}

export async function backgroundJobs({ app, views }: JobDeps): Promise<readonly BackgroundJob[]> {
  return [
    ...(await minuteJobs(app, views)),
    ...(await rolloutJobs(app)),
    ...(await monitoringJobs(app)),
    ...banditJobs(app),
    ...schedulerJobs(app),
  ];
}
