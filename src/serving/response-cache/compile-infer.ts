// How an arm's rows get their outputs once their features are there: by its model, or by what is kept of its answers first.

import type { Scope } from '../../core/index.ts';
import type { ArmRow } from '../arm.ts';
import { inferRows } from '../arm-run.ts';
import type { Stage } from '../deadlines.ts';
import type { FeatureRowOrError } from '../feature-plan.ts';
import type { ServedModel } from '../served-models.ts';
import { inferCached, type RowCache } from './infer-cached.ts';

export type Infer = (
  features: readonly FeatureRowOrError[],
  scope: Scope,
  stage: Pick<Stage, 'timing' | 'isProbe'>,
) => readonly ArmRow[] | Promise<readonly ArmRow[]>;

/** A probe is to find out whether the model answers, so it is answered by that alone. */
export function compileInfer(model: ServedModel, cache: RowCache | undefined): Infer {
  if (cache === undefined) return (features, scope, { timing }) => inferRows(model, features, scope, timing);
  return (features, scope, { timing, isProbe }) =>
    isProbe === true ? inferRows(model, features, scope, timing) : inferCached(model, cache, features, scope, timing);
}
