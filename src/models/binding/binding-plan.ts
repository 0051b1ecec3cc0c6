// How a model's tensors and its service's features belong together, as data: `checkSignature` makes it, the row's
// writer and reader are compiled from it.

import type { Field, Value } from '../../core/index.ts';
import type { TensorType } from '../tensor.ts';

export interface BindingPlan {
  /** In the signature's order. */
  readonly inputs: readonly InputPlan[];
  /** In the order of the model's declared outputs. */
  readonly outputs: readonly OutputPlan[];
}

/** One tensor, filled from these features in order. */
export interface InputPlan {
  readonly name: string;
  readonly type: TensorType;
  /** Elements a row takes. */
  readonly width: number;
  /** 1 for [N], 2 for [N, width]. */
  readonly rank: 1 | 2;
  readonly columns: readonly ColumnPlan[];
}

export interface ColumnPlan {
  /** Index into the service's features. */
  readonly feature: number;
  readonly field: Field;
  /** Where in the tensor's row it starts. */
  readonly offset: number;
  readonly width: number;
  /** Stands in for null where the tensor takes no NaN. */
  readonly standIn: Value;
}

export interface OutputPlan {
  readonly field: Field;
  /** Index into the signature's outputs. */
  readonly tensor: number;
  readonly name: string;
  /** Which element of the tensor's row: 0, or the last of a classifier's probabilities. */
  readonly pick: 'first' | 'last' | 'all';
}
