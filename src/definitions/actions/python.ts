// A Python script as a step.

import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import { findSlips, optionsOf } from '../authoring/call.ts';
import type { ActionKind } from './action-kind.ts';
import {
  compileScript,
  type GivenScript,
  SCRIPT_OPTIONS,
  type ScriptOptions,
  scriptSchema,
  type ScriptSpec,
} from './script.ts';

/** A Python script, relative to the feature repository. Its environment is made once from `requirements`. */
export function python(script: string, options: ScriptOptions = {}): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, SCRIPT_OPTIONS, [1], 'python(…)');
  const { requirements, args = {} } = optionsOf(options);
  const given: GivenScript = { script, requirements, args };
  return { action: { kind: 'python', given, slips } };
}

export const pythonKind: ActionKind<GivenScript, ScriptSpec<'python'>> = {
  kind: 'python',
  schema: scriptSchema('python'),
  compile(given, context) {
    if (typeof given.script !== 'string' || given.script === '')
      context.report(': python(…) needs the path of a script', [1, 0]);
    return compileScript('python', given, context);
  },
};
