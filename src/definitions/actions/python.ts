// A Python script as a step.

import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import { scriptAction, scriptKind, type ScriptOptions } from './script.ts';

/** A Python script, relative to the feature repository. Its environment is made once from `requirements`. */
export function python(script: string, options: ScriptOptions = {}): Action<AnyNeeds, NotKnown> {
  return scriptAction('python', script, options);
}

export const pythonKind = scriptKind('python', (script) =>
  typeof script === 'string' && script !== '' ? undefined : 'needs the path of a script',
);
