// What a batch's rows go through, opened in the thread that they are predicted in.

import { HeadraceError } from '../../core/index.ts';
import { evaluateBundle, type UserFunction } from '../../definitions/index.ts';
import { type BatchModel, openBatchGraph, openBatchModel } from '../../models/index.ts';
import type { PartWork } from './part-messages.ts';

/** Throws as `openBatchModel` and `openBatchGraph`; HR_CODE_ALTERED for code that holds no function. */
export function openPartModel(
  { model, service, spec, providerShare }: Pick<PartWork, 'model' | 'service' | 'spec' | 'providerShare'>,
  mostRows: number,
): BatchModel {
  if (model.kind === 'file')
    return openBatchModel(model.onnx, { service, spec, mostRows, providerShare, rows: model.rows });
  const functions = new Map<string, UserFunction>();
  for (const [id, code] of model.functions) {
    const fn = evaluateBundle(id, code);
    if (fn === undefined) throw new HeadraceError('HR_CODE_ALTERED', `the bundle of "${id}" holds no function.`);
    functions.set(id, fn);
  }
  return openBatchGraph({ service, spec, nodes: model.nodes, functions, mostRows, providerShare });
}
