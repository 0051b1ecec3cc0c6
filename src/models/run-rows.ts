// Rows of feature values as a model's tensors, and through it as one piece of work, for callers that have nothing else to do meanwhile.

import type { Scope, Value } from '../core/index.ts';
import type { Binding } from './binding/compile-binding.ts';
import type { LoadedModel } from './model-runtime.ts';
import { rowShapesOf, widthOf } from './row-shapes.ts';
import type { Signature, Tensor } from './tensor.ts';
import { arrayOf } from './tensor-arrays.ts';

/**
 * The declared outputs of each row, in order. Throws what `Binding.check` says of the first row that the model can't
 * take, and what `LoadedModel.submit` tells a work.
 */
export function runRows(
  model: Pick<LoadedModel, 'submit'>,
  binding: Binding,
  rows: readonly (readonly Value[])[],
  scope: Scope,
): Promise<Value[][]> {
  return new Promise((resolve, reject) => {
    for (const row of rows) {
      const mistake = binding.check(row);
      if (mistake !== undefined) return reject(mistake);
    }
    model.submit({
      count: rows.length,
      scope,
      rowShapes: binding.rowShapes,
      bind: (index, batch, place) => binding.bindRow(rows[index] as readonly Value[], batch, place),
      done(outputs, first) {
        try {
          resolve(rows.map((_, index) => binding.readRow(outputs, first + index)));
        } catch (thrown) {
          reject(thrown as Error);
        }
      },
      failed: reject,
    });
  });
}

/** The first `most` rows that the model can take, as one tensor an input in the signature's order. */
export function boundRows(
  signature: Signature,
  binding: Binding,
  rows: readonly (readonly Value[])[],
  most: number,
): readonly Tensor[] {
  const taken = rows.filter((row) => binding.check(row) === undefined).slice(0, most);
  const shapes = binding.rowShapes ?? rowShapesOf(signature);
  const tensors = signature.inputs.map(({ type }, at) => {
    const width = widthOf(shapes[at]);
    return { type, shape: [taken.length, ...(shapes[at] ?? [])], width, data: arrayOf(type, taken.length * width) };
  });
  taken.forEach((row, place) => binding.bindRow(row, tensors, place));
  return tensors;
}
