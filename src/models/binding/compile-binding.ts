// A model version's way from feature values to tensors and back, compiled once: rows write themselves into a batch.

import type { Value } from '../../core/index.ts';
import type { ModelSpec, ResolvedService } from '../../definitions/index.ts';
import type { Signature, Tensor } from '../tensor.ts';
import type { BatchInput } from '../model-work.ts';
import type { InputPlan } from './binding-plan.ts';
import { checkSignature } from './check-signature.ts';
import { compileRowCheck, type RowCheck } from './row-check.ts';
import { compileRowKey, type RowKey } from './row-key.ts';
import { compileRowReader } from './row-reader.ts';
import { compileRowWriter } from './row-writer.ts';
import { compileShownValues } from './shown-values.ts';

export interface Binding {
  /**
   * What the model can't take of a row of feature values, in the service's order: HR_NULL_FEATURE where the tensor takes
   * no null and the feature has no default, HR_UNKNOWN_ENTITY where all such are of keys that nothing is known of,
   * HR_INVALID for a text with a NUL or half a surrogate pair.
   */
  readonly check: RowCheck;
  /**
   * Writes a row that `check` has passed as row `place` of the batch, inputs in the signature's order. A null in a float
   * tensor is NaN; elsewhere the feature's default stands in. Never throws.
   */
  bindRow(values: readonly Value[], batch: readonly BatchInput[], place: number): void;
  /** The declared outputs of row `place`, in their order. Throws HR_INFERENCE_FAILED when a tensor lacks the row. */
  readRow(outputs: readonly Tensor[], place: number): Value[];
  /**
   * A row's features as the tensors took them: where one takes no null, the declared default in its place. The row itself
   * where nothing stands in.
   */
  shown(values: readonly Value[]): readonly Value[];
  /** Undefined where a model answers by more than its tensors. */
  readonly compileKey: (() => RowKey) | undefined;
  /** A row's sizes of each input; for `ModelWork`, when the signature leaves some open besides the number of rows. */
  readonly rowShapes: readonly (readonly number[])[] | undefined;
}

/** Throws HR_MODEL_SIGNATURE, with both sides in its sentence, when the file does not fit its definition. */
export function compileBinding(signature: Signature, service: ResolvedService, model: ModelSpec): Binding {
  const plan = checkSignature(signature, service, model);
  const isOpen = signature.inputs.some(({ shape }) => shape.slice(1).includes(null));
  return {
    check: compileRowCheck(plan.inputs),
    bindRow: compileRowWriter(plan.inputs),
    readRow: compileRowReader(plan.outputs),
    shown: compileShownValues(plan.inputs),
    compileKey: () => compileRowKey(plan.inputs),
    rowShapes: isOpen ? plan.inputs.map(rowShape) : undefined,
  };
}

function rowShape({ rank, width }: InputPlan): readonly number[] {
  return rank === 1 ? [] : [width];
}
