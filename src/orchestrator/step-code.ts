// A step's code on this machine, as it was applied: the bundle of a function, or a script with what it may import.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { HeadraceError } from '../core/index.ts';
import type { StepAction } from '../definitions/index.ts';
import { getBlob } from '../storage/index.ts';
import type { StepJob } from './executor.ts';
import type { OrchestratorDeps } from './orchestrator-deps.ts';

type CodeAction = Extract<StepAction, { kind: 'task' | 'python' }>;

/** Writes it under `directory`. Throws HR_CODE_MISSING, HR_ARTIFACT_UNREADABLE. */
export async function unpackCode(
  deps: Pick<OrchestratorDeps, 'definitions' | 'objects'>,
  action: CodeAction,
  directory: string,
): Promise<StepJob['code']> {
  if (action.kind === 'task') {
    const { id, bundle } = action.function;
    if (bundle === undefined) {
      throw new HeadraceError(
        'HR_CODE_MISSING',
        `the code of ${id} was applied without its bundle, by an earlier version. Run \`headrace apply\` again.`,
      );
    }
    const file = join(directory, 'function.cjs');
    await writeFile(file, await codeOf(deps, bundle));
    return { kind: 'task', functionId: id, file };
  }
  const { files = [], script, requirements } = action;
  for (const { path, hash } of files) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, await codeOf(deps, hash));
  }
  const isHere = (path: string): boolean => files.some((file) => file.path === path);
  // One that does not travel, as none did in earlier versions, is this machine's own.
  const placeOf = (path: string): string => resolve(isHere(path) ? directory : deps.definitions.directory, path);
  return {
    kind: 'python',
    script: placeOf(script),
    ...(requirements === undefined ? {} : { requirements: placeOf(requirements) }),
  };
}

/** What was loaded just now needs not have been applied. */
async function codeOf(
  { definitions, objects }: Pick<OrchestratorDeps, 'definitions' | 'objects'>,
  hash: string,
): Promise<string | Uint8Array> {
  return definitions.bundles.get(hash) ?? (await getBlob(objects, hash));
}
