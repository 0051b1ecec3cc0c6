// Around one test file: its costs are measured, what it executes is recorded if asked for, and what it left behind is sought.

import { runFolder, workerFolder } from '../run-folder.ts';
import { measureFile } from './measure-file.ts';
import { beginRecord } from './record-executed.ts';
import { surroundings, whatIsLeft } from './surroundings.ts';

/** Where files share processes; elsewhere each has its own, and what it leaves ends with that. */
const SHARED_TIERS = new Set(['quick', 'full']);

/** `end` takes the test file's path below the project. */
export function beginFile() {
  const run = runFolder();
  // Each worker has a folder for temporary files, so that what stays there can be told from another worker's.
  if (run !== undefined) process.env['TMPDIR'] = workerFolder(run, process.env['VITEST_POOL_ID'] ?? '0');
  const record = beginRecord();
  const before = surroundings();
  const measured = measureFile();
  return {
    /** What it cost, and what it did not close, in words. */
    async end(testFile: string) {
      const costs = measured.end();
      const left = SHARED_TIERS.has(process.env['HEADRACE_TEST_TIER'] ?? 'quick') ? await whatIsLeft(before) : [];
      record?.end(testFile, costs.cpuMs);
      return { costs, left };
    },
  };
}
