// The functions that a manifest names.

import type { FunctionRef, Manifest } from '../manifest.ts';

/** Every one, those of sources first, then of on-demand views, then of pipelines. */
export function functionsOf(manifest: Manifest): FunctionRef[] {
  const derived = Object.values(manifest.sources).flatMap(({ derive }) =>
    derive.flatMap(({ by }) => (by.kind === 'function' ? [by.function] : [])),
  );
  const transforms = Object.values(manifest.onDemandViews).map(({ transform }) => transform);
  const tasks = Object.values(manifest.pipelines).flatMap(({ steps }) =>
    steps.flatMap(({ action }) => (action.kind === 'task' ? [action.function] : [])),
  );
  return [...derived, ...transforms, ...tasks];
}
