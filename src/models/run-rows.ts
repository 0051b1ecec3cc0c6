// Rows of feature values through a model as one piece of work, for callers that have nothing else to do meanwhile.

import type { Scope, Value } from '../core/index.ts';
import type { Binding } from './binding/compile-binding.ts';
import type { LoadedModel } from './model-runtime.ts';

/**
 * The declared outputs of each row, in order. Throws what `Binding.check` says of the first row that the model can't
 * take, and what `LoadedModel.submit` tells a work.
 */
export function runRows(
  model: LoadedModel,
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
