// All kinds of action. A new one is a file like those and a line here.

import type { ActionKind } from './action-kind.ts';
import { containerKind } from './container.ts';
import { evaluateKind } from './evaluate.ts';
import { materializeKind } from './materialize.ts';
import { notebookKind } from './notebook.ts';
import { promoteKind } from './promote.ts';
import { pythonKind } from './python.ts';
import { registerModelKind } from './register-model.ts';
import { shellKind } from './shell.ts';
import { taskKind } from './task.ts';
import { trainingSetKind } from './training-set.ts';

const KINDS = [
  taskKind,
  pythonKind,
  notebookKind,
  shellKind,
  containerKind,
  trainingSetKind,
  materializeKind,
  evaluateKind,
  registerModelKind,
  promoteKind,
] as const;

type SpecOf<K> = K extends ActionKind<infer _, infer Spec> ? Spec : never;

/** What a step does, as the manifest has it. */
export type StepAction = SpecOf<(typeof KINDS)[number]>;

/** What an authoring function of the kind was given is given to that kind alone, so its type is no one else's. */
type AnyKind = ActionKind<never, StepAction>;

export const ACTION_KINDS: ReadonlyMap<string, AnyKind> = new Map(
  KINDS.map((kind): [string, AnyKind] => [kind.kind, kind]),
);
