// On-demand views at work: the user's transform, wrapped once per service so that a call does no schema look-ups.

import { type Field, HeadraceError, INVALID, messageOf, typeName, type Value } from '../../core/index.ts';
import type { OnDemandViewSpec, UserFunction } from '../manifest.ts';
import { describeResult, fromUserOf, memberReader, rowMaker } from './user-value.ts';

/**
 * Takes each input's values in the order of its fields; gives the features' values in the view's order. A request column that
 * is null is its default, whoever calls: online, a training set and an audit see the same.
 */
export type Transform = (inputs: Readonly<Record<string, readonly Value[]>>) => Value[];

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
  const inputs = Object.entries(inputFields).map(([name, fields]) => ({
    name,
    toRow: rowMaker(fields, isRequest(name)),
  }));
  const names = view.features.map((feature) => feature.name);
  const fromUser = view.features.map((feature) => fromUserOf(feature.type));
  const read = memberReader(names);
  // The compile step knows that it is a function; its result is checked below.
  const call = fn as unknown as (inputs: Readonly<Record<string, unknown>>) => unknown;
  return (values) => {
    const given: Record<string, unknown> = {};
    for (const input of inputs) given[input.name] = input.toRow(values[input.name] ?? []);
    let result: unknown;
    try {
      result = call(given);
    } catch (cause) {
      throw new HeadraceError(
        'HR_TRANSFORM_FAILED',
        `${nameOf(view)}: its transform threw: ${messageOf(cause)}. Make it handle such a row (every value can be null).`,
        { cause, where: nameOf(view) },
      );
    }
    if (result === null || typeof result !== 'object' || result instanceof Promise) throw wrongShape(view, result);
    const members = read(result);
    const out = new Array<Value>(members.length);
    for (let at = 0; at < members.length; at++) {
      const got = members[at];
      const isThere = got !== undefined || (names[at] as string) in result;
      const value = isThere ? (fromUser[at] as (typeof fromUser)[number])(got) : INVALID;
      if (value === INVALID) throw wrongFeature(view, view.features[at] as Field, got);
      out[at] = value;
    }
    return out;
  };
}

function nameOf({ name }: OnDemandViewSpec): string {
  return `on-demand view "${name}"`;
}

function wrongShape(view: OnDemandViewSpec, result: unknown): HeadraceError {
  const names = view.features.map((feature) => feature.name).join(', ');
  return new HeadraceError(
    'HR_TRANSFORM_FAILED',
    `${nameOf(view)}: expected its transform to return an object of ${names}, got ${describeResult(result)}.`,
    { where: nameOf(view) },
  );
}

function wrongFeature(view: OnDemandViewSpec, feature: Field, got: unknown): HeadraceError {
  const where = `${nameOf(view)}, feature "${feature.name}"`;
  return new HeadraceError(
    'HR_TRANSFORM_FAILED',
    `${where}: expected ${typeName(feature.type)} or null, got ${describeResult(got)}. Change the transform or the declared type.`,
    { where },
  );
}
