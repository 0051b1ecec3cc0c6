// A step's code as it was applied: a script with what it may import in a folder of the attempt's own, a function's bundle in
// one that its tasks share.

import { join, resolve } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import type { AppliedFile, StepAction } from '../../definitions/index.ts';
import type { FileCache } from './file-cache.ts';

type ScriptAction = Extract<StepAction, { kind: 'python' | 'notebook' }>;
type TaskAction = Extract<StepAction, { kind: 'task' }>;

/** Writes files under `directory`. Throws HR_ARTIFACT_UNREADABLE. */
export async function placeCode(cache: FileCache, files: readonly AppliedFile[], directory: string): Promise<void> {
  for (const { path, hash } of files) await cache.copy(hash, join(directory, path));
}

/** Where a script and its requirements lie: those that do not travel are this machine's own, in its repository. */
export function scriptPaths(
  { script, requirements, files = [] }: ScriptAction,
  directory: string,
  repository: string,
): { readonly script: string; readonly requirements: string | undefined } {
  const placeOf = (path: string): string =>
    resolve(files.some((file) => file.path === path) ? directory : repository, path);
  return { script: placeOf(script), requirements: requirements === undefined ? undefined : placeOf(requirements) };
}

/** Makes the function's bundle a file in `directory`, and gives its path. Throws HR_CODE_MISSING, HR_ARTIFACT_UNREADABLE. */
export async function placeBundle(cache: FileCache, action: TaskAction, directory: string): Promise<string> {
  const { id, bundle } = action.function;
  if (bundle === undefined) {
    throw new HeadraceError(
      'HR_CODE_MISSING',
      `the code of ${id} was applied without its bundle, by an earlier version. Run \`headrace apply\` again.`,
    );
  }
  const file = join(directory, `${bundle}.cjs`);
  await cache.link(bundle, file);
  return file;
}
