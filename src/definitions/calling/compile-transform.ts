// On-demand views at work: the user's transform, wrapped once per service so that a call does no schema look-ups.

import type { Field, Value } from '../../core/index.ts';
import type { OnDemandViewSpec, UserFunction } from '../manifest.ts';
import { compileRowFunction, type GiveInputs } from './compile-row-function.ts';

/**
 * Takes each input's values in the order of its fields; gives the features' values in the view's order. A request column that
 * is null is its default, whoever calls: online, a training set and an audit see the same.
 */
export type Transform = GiveInputs<Value[]>;

/**
 * Builds the caller of a view's transform. `inputFields` are the fields of each input by its name.
 * The call throws HR_TRANSFORM_FAILED, naming view and feature, when the function throws or gives a wrong value.
 */
export function compileTransform(
  view: OnDemandViewSpec,
  fn: UserFunction,
  inputFields: Readonly<Record<string, readonly Field[]>>,
): Transform {
  const isRequest = (name: string): boolean => view.inputs.some((one) => one.kind === 'request' && one.name === name);
  const inputs = Object.entries(inputFields).map(([name, fields]) => ({ name, fields, isRequest: isRequest(name) }));
  return compileRowFunction(TRANSFORM, `on-demand view "${view.name}"`, fn, inputs, view.features);
}

const TRANSFORM = { called: 'transform', gives: 'feature' };
