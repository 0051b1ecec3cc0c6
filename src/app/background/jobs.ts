// The jobs of a server. A new one adds its line.

import type { App } from '../open-app.ts';
import type { BackgroundJob } from './background-job.ts';
import { monitoringJobs } from './monitoring-jobs.ts';

export interface JobDeps {
  readonly app: App;
}

export async function backgroundJobs({ app }: JobDeps): Promise<readonly BackgroundJob[]> {
  return [...(await monitoringJobs(app))];
}
