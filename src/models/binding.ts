// A model bound to its feature service and its declared outputs: checked once, then only copied through.

import type { Value } from '../core/index.ts';
import type { ModelSpec, ResolvedService } from '../definitions/index.ts';
import { bindColumns } from './bind-columns.ts';
import { bindDeclaredOutputs, type OutputReader } from './bind-outputs.ts';
import { bindMatrix } from './bind-matrix.ts';
import type { Signature, Tensor, TensorSpec } from './model-runtime.ts';

/** Fills the model's tensors from rows of feature values in the service's order; throws HR_NULL_FEATURE. */
export type InputFiller = (rows: readonly (readonly Value[])[]) => Record<string, Tensor>;

export interface Binding {
  readonly fill: InputFiller;
  readonly outputs: readonly OutputReader[];
}

/**
 * Binds a model file's signature. Its inputs are either one float tensor [N, F] that takes all of the service's
 * features in order (a vector takes as many columns as it has elements), or one tensor a feature, under its full name,
 * of shape [N], [N, 1] or, for a vector, [N, n]. Throws HR_MODEL_SIGNATURE.
 */
export function checkSignature(signature: Signature, service: ResolvedService, model: ModelSpec): Binding {
  const [only] = signature.inputs;
  const isMatrix =
    signature.inputs.length === 1 && only !== undefined && isFloat(only) && only.shape.length === 2 &&
    !service.features.some(({ name }) => name === only.name);
  const fill = isMatrix ? bindMatrix(only, service, model) : bindColumns(signature, service, model);
  return { fill, outputs: bindDeclaredOutputs(signature, model) };
}

function isFloat({ type }: TensorSpec): boolean {
  return type === 'float32' || type === 'float64';
}

/** Tensors for rows of feature values, each in the order of the service's features. Throws HR_NULL_FEATURE. */
export function bindInputs(binding: Binding, rows: readonly (readonly Value[])[]): Record<string, Tensor> {
  return binding.fill(rows);
}

/** The declared outputs of one row of a batch, by name. */
export function bindOutputs(binding: Binding, outputs: Readonly<Record<string, Tensor>>, row: number): Record<string, Value> {
  const named: Record<string, Value> = {};
  for (const { name, output, read } of binding.outputs) named[name] = read(outputs[output] as Tensor, row);
  return named;
}
