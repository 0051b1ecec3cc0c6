// Feature repositories written to a folder of their own, and what loading them says.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { ErrorDetail, HeadraceError } from '../../src/core/index.ts';
import { loadDefinitions } from '../../src/definitions/index.ts';

/** Writes the files to a new folder, which is gone after the test that asks for it. */
export async function writeRepository(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-repository-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

/** The error of a repository that does not load. */
export async function loadingError(files: Readonly<Record<string, string>>): Promise<HeadraceError> {
  const error = await loadDefinitions(await writeRepository(files), 'p').then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'HeadraceError', code: 'HR_DEFINITION' });
  // Checked above.
  return error as HeadraceError;
}

/** The mistakes in a repository that does not load. */
export async function loadingMistakes(files: Readonly<Record<string, string>>): Promise<readonly ErrorDetail[]> {
  return (await loadingError(files)).details;
}
