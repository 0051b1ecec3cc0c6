// The functions that a manifest names: the one walk over them.

import type { StepAction } from '../actions/action-kinds.ts';
import type { NodeSpec } from '../graph-spec.ts';
import type { DeriveSpec, FunctionRef, Manifest, ModelSpec } from '../manifest.ts';

/** Every one, those of sources first, then of on-demand views, of graphs' nodes, of pipelines; those of a node in several graphs each time. */
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
  const node = (one: NodeSpec): NodeSpec => ('function' in one ? { ...one, function: change(one.function) } : one);
  const model = (one: ModelSpec): ModelSpec =>
    one.graph === undefined ? one : { ...one, graph: { ...one.graph, nodes: one.graph.nodes.map(node) } };
  return {
    ...manifest,
    sources: mapValues(manifest.sources, (source) => ({ ...source, derive: source.derive.map(derive) })),
    onDemandViews: mapValues(manifest.onDemandViews, (view) => ({ ...view, transform: change(view.transform) })),
    models: mapValues(manifest.models, model),
    pipelines: mapValues(manifest.pipelines, (pipeline) => ({
      ...pipeline,
      steps: pipeline.steps.map((step) => ({ ...step, action: action(step.action) })),
    })),
  };
}

function mapValues<T>(specs: Readonly<Record<string, T>>, change: (spec: T) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, change(spec)]));
}
