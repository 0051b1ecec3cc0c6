// A folder that the files of one test run share, for what is costly to make and the same for all; gone after the run.

import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** The variable that names it, set by `global-setup.ts`. */
export const RUN_FOLDER = 'HEADRACE_TEST_RUN_FOLDER';

/** The run's folder; undefined outside a run. */
export function runFolder(): string | undefined {
  return process.env[RUN_FOLDER];
}

/** Makes the folder that the temporary files of worker `id` lie in, and gives it. */
export function workerFolder(run: string, id: string): string {
  const folder = join(run, `w${id}`);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  return folder;
}
