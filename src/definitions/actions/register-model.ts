// The registration of a model's version as a step.

import { Type } from 'typebox';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import type { AuthoredModel, AuthoredObject } from '../authoring/authored.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import { closed, text } from '../compile/schema-parts.ts';
import type { ActionKind } from './action-kind.ts';

interface RegisterModelOptions {
  readonly alias?: string;
}

const REGISTER_MODEL_OPTIONS: OptionNames<RegisterModelOptions> = { alias: true };

/** Registers the ONNX file that the needed step made as a new version of the model. */
export function registerModel(
  model: AuthoredObject<AuthoredModel>,
  options: RegisterModelOptions = {},
): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, REGISTER_MODEL_OPTIONS, [1], 'registerModel(…)');
  const given: Given = { model, alias: optionsOf(options).alias };
  return { action: { kind: 'registerModel', given, slips } };
}

interface Given {
  readonly model: unknown;
  readonly alias: string | undefined;
}

export interface RegisterModelSpec {
  readonly kind: 'registerModel';
  readonly model: string;
  readonly alias?: string;
}

export const registerModelKind: ActionKind<Given, RegisterModelSpec> = {
  kind: 'registerModel',
  isEffect: true,
  schema: Type.Object({ kind: Type.Literal('registerModel'), model: text, alias: Type.Optional(text) }, closed),
  leadsTo: ({ model }) => [model],
  compile({ model: written, alias }, { object, text: checkText }) {
    const model = object('model', written, 'model', [1, 0]);
    if (alias !== undefined) checkText('alias', alias, [1, 1, 'alias']);
    return { kind: 'registerModel', model: model?.name ?? '', ...(alias === undefined ? {} : { alias }) };
  },
};
