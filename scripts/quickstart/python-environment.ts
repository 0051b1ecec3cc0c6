// The virtual environment of feature_repo/train.py, or why there is none. Begun first: it mostly waits for downloads.

import { join } from 'node:path';
import { type App, environmentsDirectory, pythonCommand } from '../../src/app/index.ts';
import { HeadraceError } from '../../src/core/index.ts';
import { openPythonEnvironments } from '../../src/orchestrator/index.ts';
import { root } from './headrace.ts';

export type PythonFound = { readonly interpreter: string } | { readonly interpreter: undefined; readonly why: string };

export async function findPython(app: App): Promise<PythonFound> {
  try {
    const environments = openPythonEnvironments(environmentsDirectory(app), pythonCommand(app));
    return { interpreter: await environments.interpreter(join(root, 'feature_repo', 'requirements.txt')) };
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_PYTHON_UNAVAILABLE')
      return { interpreter: undefined, why: error.message };
    throw error;
  }
}
