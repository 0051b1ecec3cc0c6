// What happens around one test file: its costs are measured, what it executes is recorded where that was asked for, and what it
// left behind is looked for.

import { runFolder, workerFolder } from '../run-folder.ts';
import { type FileCosts, measureFile } from './measure-file.ts';
import { beginRecord } from './record-executed.ts';
import { surroundings, whatIsLeft } from './surroundings.ts';

/** Where files share processes; elsewhere each has its own, and what it leaves ends with that. */
const SHARED_TIERS = new Set(['quick', 'full']);

export interface EndedFile {
  readonly costs: FileCosts;
  /** What the file did not close, in words. */
  readonly left: readonly string[];
}

/** `end` takes the test file's path below the project. */
export function beginFile(): { end(testFile: string): Promise<EndedFile> } {
  const run = runFolder();
  // Each worker has a folder for temporary files, so that what stays there can be told from another worker's.
  if (run !== undefined) process.env['TMPDIR'] = workerFolder(run, process.env['VITEST_POOL_ID'] ?? '0');
  const record = beginRecord();
  const before = surroundings();
  const measured = measureFile();
  return {
    async end(testFile) {
      const costs = measured.end();
      const left = SHARED_TIERS.has(process.env['HEADRACE_TEST_TIER'] ?? 'quick') ? await whatIsLeft(before) : [];
      record?.end(testFile);
      return { costs, left };
    },
  };
}
