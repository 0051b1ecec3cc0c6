// Whether a value is what its recomputation gave, by another order of adding or an estimate of another sketch.

import { EXACT_DISTINCT } from '../../aggregation/index.ts';
import { compareValues, type Field, type Value } from '../../core/index.ts';
import type { TrainingSetPlan } from '../plan.ts';

// Sums of floats differ in their last digits by the order of adding; everything else must be the same.
export function agrees(
  plan: TrainingSetPlan,
  feature: TrainingSetPlan['features'][number],
  got: Value,
  wanted: Value,
): boolean {
  const tolerance = 1e-9;
  if (typeof got === 'number' && typeof wanted === 'number' && isFloat(feature)) {
    return Object.is(got, wanted) || Math.abs(got - wanted) <= tolerance * Math.max(1, Math.abs(got), Math.abs(wanted));
  }
  const { from } = feature;
  const op = from.kind === 'read' ? plan.reads[from.read]?.view.features[from.feature]?.aggregation.op : undefined;
  if (op === 'countDistinct' && typeof got === 'bigint' && typeof wanted === 'bigint' && wanted > EXACT_DISTINCT) {
    return Math.abs(Number(got - wanted)) <= 0.1 * Number(wanted);
  }
  return compareValues(got, wanted) === 0;
}

const isFloat = ({ type }: Field): boolean => type.kind === 'float64' || type.kind === 'float32';
