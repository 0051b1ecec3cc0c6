// Whether a value is what its recomputation gave, by another order of adding or an estimate of another sketch.

import { EXACT_DISTINCT } from '../../aggregation/index.ts';
import type { Field, Value } from '../../core/index.ts';
import type { TrainingSetPlan } from '../plan.ts';
import { sameValue } from './same-value.ts';

/** What is computed of floats; others give a value as it came. */
const COMPUTED: ReadonlySet<string | undefined> = new Set(['sum', 'mean', 'variance', 'stddev']);

// What is computed of floats, by an aggregation or an on-demand view, may differ in its last digits by the order of adding; everything
// else must be the same.
export function agrees(
  plan: TrainingSetPlan,
  feature: TrainingSetPlan['features'][number],
  got: Value,
  wanted: Value,
): boolean {
  const { from } = feature;
  const op = from.kind === 'read' ? plan.reads[from.read]?.view.features[from.feature]?.aggregation.op : undefined;
  if (typeof got === 'number' && typeof wanted === 'number' && isFloat(feature)) {
    if (sameValue(got, wanted)) return true;
    const isComputed = from.kind !== 'read' || COMPUTED.has(op);
    return isComputed && Math.abs(got - wanted) <= TOLERANCE * Math.max(1, Math.abs(got), Math.abs(wanted));
  }
  if (op === 'countDistinct' && typeof got === 'bigint' && typeof wanted === 'bigint' && wanted > EXACT_DISTINCT) {
    return Math.abs(Number(got - wanted)) <= 0.1 * Number(wanted);
  }
  return sameValue(got, wanted);
}

const TOLERANCE = 1e-9;

const isFloat = ({ type }: Field): boolean => type.kind === 'float64' || type.kind === 'float32';
