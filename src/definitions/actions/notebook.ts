// A Jupyter notebook as a step: it is run from top to bottom, and kept as it ran.

import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import { showName } from '../compile/names.ts';
import { scriptAction, scriptKind, type ScriptOptions } from './script.ts';

/**
 * A notebook (`.ipynb`), relative to the feature repository, run by papermill in an environment that is made once from
 * `requirements`. `args` are its parameters.
 */
export function notebook(script: string, options: ScriptOptions = {}): Action<AnyNeeds, NotKnown> {
  return scriptAction('notebook', script, options);
}

export const notebookKind = scriptKind('notebook', (script) =>
  typeof script === 'string' && script.endsWith('.ipynb')
    ? undefined
    : `needs the path of an .ipynb file, got ${showName(script)}`,
);
