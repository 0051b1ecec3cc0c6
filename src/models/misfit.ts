// Errors of a model that doesn't fit its definition, and how a tensor is written in them.

import { HeadraceError } from '../core/index.ts';
import type { ModelSpec } from '../definitions/index.ts';
import type { TensorSpec } from './model-runtime.ts';

export function misfit(model: ModelSpec, sentence: string): HeadraceError {
  return new HeadraceError('HR_MODEL_SIGNATURE', `model "${model.name}": ${sentence}`);
}

/** `float32[?, 12]` */
export function shapeText({ type, shape }: Omit<TensorSpec, 'name'>): string {
  return `${type}[${shape.map((size) => size ?? '?').join(', ')}]`;
}
