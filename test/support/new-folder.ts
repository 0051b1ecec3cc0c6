// New folders for temporary files.

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';

const REMOVED = { recursive: true, force: true, maxRetries: 5 } as const;
const make = (): string => realpathSync(mkdtempSync(join(tmpdir(), 'headrace-test-')));

/** For the tests of a file, or of a `describe`: asked for where they are declared, and gone after them. */
export function folderOfFile(): string {
  const folder = make();
  afterAll(() => rmSync(folder, REMOVED));
  return folder;
}

/** For one test, and gone after it. */
export function folderOfTest(): string {
  const folder = make();
  onTestFinished(() => rmSync(folder, REMOVED));
  return folder;
}
