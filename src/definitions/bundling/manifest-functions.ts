// The functions that a manifest names: the one walk over them.

import type { StepAction } from '../actions/action-kinds.ts';
import type { DeriveSpec, FunctionRef, Manifest } from '../manifest.ts';

/** Every one, those of sources first, then of on-demand views, then of pipelines. */
export function functionsOf(manifest: Manifest): FunctionRef[] {
  const found: FunctionRef[] = [];
  mapFunctions(manifest, (ref) => {
    found.push(ref);
    return ref;
  });
  return found;
}

/** The manifest with each reference to a function replaced. */
export function mapFunctions(manifest: Manifest, change: (ref: FunctionRef) => FunctionRef): Manifest {
  const derive = (one: DeriveSpec): DeriveSpec =>
    one.by.kind === 'function' ? { ...one, by: { ...one.by, function: change(one.by.function) } } : one;
  const action = (one: StepAction): StepAction =>
    one.kind === 'task' ? { ...one, function: change(one.function) } : one;
  return {
    ...manifest,
    sources: mapValues(manifest.sources, (source) => ({ ...source, derive: source.derive.map(derive) })),
    onDemandViews: mapValues(manifest.onDemandViews, (view) => ({ ...view, transform: change(view.transform) })),
    pipelines: mapValues(manifest.pipelines, (pipeline) => ({
      ...pipeline,
      steps: pipeline.steps.map((step) => ({ ...step, action: action(step.action) })),
    })),
  };
}

function mapValues<T>(specs: Readonly<Record<string, T>>, change: (spec: T) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, change(spec)]));
}
