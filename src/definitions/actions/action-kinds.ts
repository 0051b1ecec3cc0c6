// All kinds of action. A new one is a file like those, its spec in the union and itself in the list.

import type { ActionKind } from './action-kind.ts';
import { containerKind, type ContainerSpec } from './container.ts';
import { evaluateKind, type EvaluateSpec } from './evaluate.ts';
import { materializeKind, type MaterializeSpec } from './materialize.ts';
import { notebookKind } from './notebook.ts';
import { predictKind, type PredictSpec } from './predict.ts';
import { promoteKind, type PromoteSpec } from './promote.ts';
import { pythonKind } from './python.ts';
import { registerModelKind, type RegisterModelSpec } from './register-model.ts';
import type { ScriptSpec } from './script.ts';
import { shellKind, type ShellSpec } from './shell.ts';
import { taskKind, type TaskSpec } from './task.ts';
import { trainingSetKind, type TrainingSetSpec } from './training-set.ts';

/** `headrace gc`: a step that nobody writes, of runs that a configuration asks for. */
export interface GcSpec {
  readonly kind: 'gc';
}

/** What a step does. */
export type StepAction = WrittenAction | GcSpec;

/** As the manifest has it. */
type WrittenAction =
  | TaskSpec
  | ScriptSpec<'python'>
  | ScriptSpec<'notebook'>
  | ShellSpec
  | ContainerSpec
  | TrainingSetSpec
  | MaterializeSpec
  | EvaluateSpec
  | PredictSpec
  | RegisterModelSpec
  | PromoteSpec;

/** What an authoring function of the kind was given is given to that kind alone, so its type is no one else's. */
type AnyKind = ActionKind<never, WrittenAction>;

/** Each kind of a spec has its place. */
const KINDS: { readonly [Kind in WrittenAction['kind']]: AnyKind & { readonly kind: Kind } } = {
  task: taskKind,
  python: pythonKind,
  notebook: notebookKind,
  shell: shellKind,
  container: containerKind,
  trainingSet: trainingSetKind,
  materialize: materializeKind,
  evaluate: evaluateKind,
  predict: predictKind,
  registerModel: registerModelKind,
  promote: promoteKind,
};

export const ACTION_KINDS: ReadonlyMap<string, AnyKind> = new Map(Object.entries(KINDS));
