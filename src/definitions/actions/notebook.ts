// A Jupyter notebook as a step: it is run from top to bottom, and kept as it ran.

import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import { findSlips, optionsOf } from '../authoring/call.ts';
import { showName } from '../compile/names.ts';
import type { ActionKind } from './action-kind.ts';
import {
  compileScript,
  type GivenScript,
  SCRIPT_OPTIONS,
  type ScriptOptions,
  scriptSchema,
  type ScriptSpec,
} from './script.ts';

/**
 * A notebook (`.ipynb`), relative to the feature repository, run by papermill in an environment that is made once from
 * `requirements`. `args` are its parameters.
 */
export function notebook(script: string, options: ScriptOptions = {}): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, SCRIPT_OPTIONS, [1], 'notebook(…)');
  const { requirements, args = {} } = optionsOf(options);
  const given: GivenScript = { script, requirements, args };
  return { action: { kind: 'notebook', given, slips } };
}

export const notebookKind: ActionKind<GivenScript, ScriptSpec<'notebook'>> = {
  kind: 'notebook',
  schema: scriptSchema('notebook'),
  compile(given, context) {
    if (typeof given.script !== 'string' || !given.script.endsWith('.ipynb'))
      context.report(`: notebook(…) needs the path of an .ipynb file, got ${showName(given.script)}`, [1, 0]);
    return compileScript('notebook', given, context);
  },
};
