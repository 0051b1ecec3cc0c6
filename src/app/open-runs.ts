// Where runs of pipelines are, for whoever looks at them or clears them away.

import { dirname, join } from 'node:path';
import type { RunsDeps } from '../orchestrator/index.ts';
import type { App } from './open-app.ts';

/** What it takes to look at runs, and to cancel them. */
export async function openRuns(app: App): Promise<RunsDeps> {
  return {
    database: await app.database(),
    objects: await app.objects(),
    clock: app.clock,
    workDirectory: join(app.config.values['offline.path'], 'runs'),
  };
}

/** Where the virtual environments of Python steps are kept, beside the other state of the project. */
export function environmentsDirectory(app: App): string {
  return join(dirname(app.config.values['offline.path']), 'environments');
}
