// The evaluation of a model's version as a step.

import { Type } from 'typebox';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import type { AuthoredModel, AuthoredObject } from '../authoring/authored.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import { isTexts } from '../compile/plain-data.ts';
import { closed, text } from '../compile/schema-parts.ts';
import type { ActionKind } from './action-kind.ts';

interface EvaluateOptions {
  /** The column that holds what was so. Default: the training set's only label. */
  readonly label?: string;
  /** Columns by whose values the figures are told apart, too. */
  readonly slices?: readonly string[];
  /** The alias of a version that it is compared with: 'champion'. */
  readonly against?: string;
}

const EVALUATE_OPTIONS: OptionNames<EvaluateOptions> = { label: true, slices: true, against: true };

/** Scores the needed training set by the version that a needed step made, and tells the figures. */
export function evaluate(
  model: AuthoredObject<AuthoredModel>,
  options: EvaluateOptions = {},
): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, EVALUATE_OPTIONS, [1], 'evaluate(…)');
  const { label, slices, against } = optionsOf(options);
  const given: Given = { model, label, slices, against };
  return { action: { kind: 'evaluate', given, slips } };
}

interface Given {
  readonly model: unknown;
  readonly label: string | undefined;
  readonly slices: unknown;
  readonly against: string | undefined;
}

export interface EvaluateSpec {
  readonly kind: 'evaluate';
  readonly model: string;
  readonly label?: string;
  /** Columns by whose values its figures are told apart. */
  readonly slices: readonly string[];
  /** The alias of the version that it is compared with. */
  readonly against?: string;
}

export const evaluateKind: ActionKind<Given, EvaluateSpec> = {
  kind: 'evaluate',
  schema: Type.Object(
    {
      kind: Type.Literal('evaluate'),
      model: text,
      label: Type.Optional(text),
      slices: Type.Array(text),
      against: Type.Optional(text),
    },
    closed,
  ),
  leadsTo: ({ model }) => [model],
  compile({ model: written, label, slices = [], against }, { object, report, text: checkText }) {
    const model = object('model', written, 'model', [1, 0]);
    if (label !== undefined) checkText('label', label, [1, 1, 'label']);
    if (against !== undefined) checkText('against', against, [1, 1, 'against']);
    const hasColumns = isTexts(slices);
    if (!hasColumns) {
      const came = describeResult(slices);
      report(`: the slices of evaluate(…) must be an array of columns: ['origin'], got ${came}`, [1, 1, 'slices']);
    }
    return {
      kind: 'evaluate',
      model: model?.name ?? '',
      ...(label === undefined ? {} : { label }),
      slices: hasColumns ? slices : [],
      ...(against === undefined ? {} : { against }),
    };
  },
};
