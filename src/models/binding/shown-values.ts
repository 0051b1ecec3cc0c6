// What a model saw of a row's features: where a tensor takes no null, the declared default in its place.

import type { Value } from '../../core/index.ts';
import type { InputPlan } from './binding-plan.ts';
import { isFloat } from './row-check.ts';

/**
 * Compiled once per binding: a row's features in the service's order, as the model's tensors took them. A null that went in
 * as NaN, or not at all, stays null. Gives the row itself where nothing stands in.
 */
export function compileShownValues(inputs: readonly InputPlan[]): (values: readonly Value[]) => readonly Value[] {
  const standIns = inputs
    .filter(({ type }) => !isFloat(type))
    .flatMap(({ columns }) => columns.filter(({ standIn }) => standIn !== null));
  if (standIns.length === 0) return (values) => values;
  return (values) => {
    let shown: Value[] | undefined;
    for (const { feature, standIn } of standIns) {
      if ((values[feature] ?? null) !== null) continue;
      shown ??= [...values];
      shown[feature] = standIn;
    }
    return shown ?? values;
  };
}
