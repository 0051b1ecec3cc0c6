// Functions in a manifest, all in one place: what their code is, apart from the bundle that carries it.

import type { DeriveSpec, FunctionRef, Manifest, StepAction } from '../../definitions/index.ts';

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

/**
 * The manifest by the bundles that are applied, where a function is the same: another bundler's other bytes change nothing,
 * and need not be told, stored or loaded. Those that are lost are not kept.
 */
export function keepBundles(before: Manifest | undefined, after: Manifest, lost?: ReadonlySet<string>): Manifest {
  if (before === undefined) return after;
  const applied = new Map<string, FunctionRef>();
  mapFunctions(before, (ref) => {
    applied.set(ref.id, ref);
    return ref;
  });
  return mapFunctions(after, (ref) => {
    const known = applied.get(ref.id);
    // What was applied without a bundle gets one.
    const isKept = known?.hash === ref.hash && known.bundle !== undefined && lost?.has(known.bundle) !== true;
    return isKept ? known : ref;
  });
}

/** With nothing left of each function but what it is: two that compare alike have the same code. */
export function withCodeAlone(manifest: Manifest): Manifest {
  return mapFunctions(manifest, ({ hash }) => ({ id: '', hash }));
}

function mapValues<T>(specs: Readonly<Record<string, T>>, change: (spec: T) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, change(spec)]));
}
