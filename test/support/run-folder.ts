// A folder that the files of one test run share, for what is costly to make and the same for all; gone after the run.
// Vitest calls this once, before it starts its workers.

import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endSharedServers } from './server-lifetime.ts';

const VARIABLE = 'HEADRACE_TEST_RUN_FOLDER';

export default function openRunFolder(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-run-'));
  // Servers that refuse to run as root are started as another user, who has to pass through.
  chmodSync(folder, 0o755);
  process.env[VARIABLE] = folder;
  return () => {
    endSharedServers(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
}

/** The run's folder; undefined outside a run. */
export function runFolder(): string | undefined {
  return process.env[VARIABLE];
}

/** Makes the folder that the temporary files of worker `id` lie in, and gives it. */
export function workerFolder(run: string, id: string): string {
  const folder = join(run, `w${id}`);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  return folder;
}
