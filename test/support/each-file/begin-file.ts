// Around one test file: its costs are measured, what it executes is recorded if asked for, and what it left behind is sought.

import { runFolder, workerFolder } from '../run-folder.ts';
import { measureFile } from './measure-file.ts';
import { beginRecord } from './record-executed.ts';
import { surroundings, whatIsLeft } from './surroundings.ts';

/** Where files share processes; elsewhere each has its own, and what it leaves ends with that. */
const SHARED_TIERS = new Set(['quick', 'full']);

/** Vitest's own account of the worker: nothing public says in a hook that the run was cut off. */
interface Worker {
  /** Gives what takes the listener away. */
  onCancel(listener: () => void): () => void;
}

/** `end` takes the test file's path below the project. */
export function beginFile() {
  const run = runFolder();
  // Each worker has a folder for temporary files, so that what stays there can be told from another worker's.
  if (run !== undefined) process.env['TMPDIR'] = workerFolder(run, process.env['VITEST_POOL_ID'] ?? '0');
  const record = beginRecord();
  const before = surroundings();
  const measured = measureFile();
  let isCut = false;
  const { onCancel } = (globalThis as unknown as { __vitest_worker__: Worker }).__vitest_worker__;
  const forget = onCancel(() => {
    isCut = true;
  });
  return {
    /** What it cost, and what it did not close, in words. */
    async end(testFile: string) {
      const costs = measured.end();
      forget();
      const isShared = SHARED_TIERS.has(process.env['HEADRACE_TEST_TIER'] ?? 'quick');
      // A test that was cut off had no time to close what it opened.
      const left = isShared && !isCut ? await whatIsLeft(before) : [];
      record?.end(testFile, costs.cpuMs);
      return { costs, left };
    },
  };
}
