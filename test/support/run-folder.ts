// A folder that the files of one test run share, for what is costly to make and the same for all; gone after the run.
// Vitest calls this once, before it starts its workers.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VARIABLE = 'HEADRACE_TEST_RUN_FOLDER';

export default function openRunFolder(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-run-'));
  process.env[VARIABLE] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

/** The run's folder; undefined outside a run. */
export function runFolder(): string | undefined {
  return process.env[VARIABLE];
}
