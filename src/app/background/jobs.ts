// The jobs of a server. A new one adds its line.

import type { App } from '../open-app.ts';
import type { BackgroundJob } from './background-job.ts';

export interface JobDeps {
  readonly app: App;
}

export async function backgroundJobs(_deps: JobDeps): Promise<readonly BackgroundJob[]> {
  return [];
}
