// A version of a model that is made of others, ready to run: its nodes' versions are in memory, and what each takes is held
// against what is there.

import { type Field, HeadraceError, INVALID, parseValue, sameType, typeName, type Value } from '../../core/index.ts';
import {
  compileNodeFunction,
  compileRouterFunction,
  type Definitions,
  functionOf,
  inputNodes,
  type ModelNodeSpec,
  type ModelSpec,
  type NodeInput,
  type NodeSpec,
  type ResolvedService,
} from '../../definitions/index.ts';
import type { Binding } from '../binding/compile-binding.ts';
import type { LoadedModel } from '../model-runtime.ts';
import { compileCombine } from './combine.ts';
import { createGraphModel, type GraphModel } from './graph-model.ts';
import type { PlannedInput, PlannedNode, ValueSource } from './graph-plan.ts';

/** A node's model, by the version that the graph pins. */
export interface NodeModel {
  readonly version: number;
  readonly loaded: LoadedModel;
  readonly binding: Binding;
  /** Its features and outputs, as when it was registered. */
  readonly service: ResolvedService;
  readonly spec: ModelSpec;
}

export interface CompileGraph {
  /** Has a graph. */
  readonly spec: ModelSpec;
  /** The graph's own. */
  readonly service: ResolvedService;
  readonly definitions: Pick<Definitions, 'functions' | 'lost'>;
  /** By name of a model node. */
  readonly models: ReadonlyMap<string, NodeModel>;
  /** How often rows of one node's run may run again, to find those that fail; left out: as a request's. */
  readonly mostRunsAgain?: number;
}

/**
 * The graph as a model, with the binding that belongs to it. Throws HR_MODEL_SIGNATURE where a version takes what the graph
 * does not give, or lacks an output; HR_CODE_MISSING.
 */
export function compileGraph(given: CompileGraph): GraphModel {
  const { spec, service } = given;
  const graph = graphOf(spec);
  const places = new Map(graph.nodes.map(({ name }, place) => [name, place]));
  const features = new Map(service.features.map(({ name }, at) => [name, at]));
  const nodes = graph.nodes.map((node, place) => planNode(node, place, { ...given, places, features }));
  const output = placeOf(places, graph.output);
  return createGraphModel(
    {
      nodes,
      output,
      outputs: unlessAll(
        spec.outputs.map((field) => placeOfOutput(nodes[output] as PlannedNode, field)),
        (nodes[output] as PlannedNode).outputs.length,
      ),
    },
    given.mostRunsAgain,
  );
}

interface Context extends CompileGraph {
  readonly places: ReadonlyMap<string, number>;
  readonly features: ReadonlyMap<string, number>;
}

function graphOf({ name, graph }: ModelSpec): NonNullable<ModelSpec['graph']> {
  if (graph !== undefined) return graph;
  throw new HeadraceError('HR_MODEL_SIGNATURE', `model "${name}" is not made of others: it has no graph.`);
}

function planNode(node: NodeSpec, place: number, context: Context): PlannedNode {
  const { name, outputs, onFailure } = node;
  const common = {
    place,
    name,
    outputs,
    isSkipped: onFailure?.kind === 'skip',
    standIns: onFailure?.kind === 'outputs' ? standInsOf(outputs, onFailure.values) : undefined,
  };
  const fieldsOf = (of: string): readonly Field[] =>
    graphOf(context.spec).nodes.find((one) => one.name === of)?.outputs ?? [];
  const placesOf = (names: readonly string[]): number[] => names.map((one) => placeOf(context.places, one));
  switch (node.kind) {
    case 'model':
      return { ...common, kind: 'model', ...planModel(node, context) };
    case 'function':
      return {
        ...common,
        kind: 'function',
        inputs: planInputs(node.inputs, context),
        before: placesOf(inputNodes(node.inputs)),
        run: compileNodeFunction(node, functionOf(context.definitions, node.function), fieldsOf),
      };
    case 'ensemble':
      return {
        ...common,
        kind: 'ensemble',
        before: placesOf(node.members),
        minimum: node.minimum,
        combine: compileCombine(node.by, outputs, node.weights ?? node.members.map(() => 1)),
      };
    case 'router':
      return {
        ...common,
        kind: 'router',
        inputs: planInputs(node.inputs, context),
        before: placesOf(inputNodes(node.inputs)),
        cases: placesOf(node.cases.map((one) => one.node)),
        choose: compileRouterFunction(node, functionOf(context.definitions, node.function), fieldsOf),
      };
  }
}

function planModel(node: ModelNodeSpec, context: Context) {
  const model = context.models.get(node.name);
  if (model === undefined)
    throw new HeadraceError('HR_MODEL_SIGNATURE', `node "${node.name}" has no version of model "${node.model}".`);
  const { version, loaded, binding, service, spec } = model;
  const sources = service.features.map((feature) => sourceOf(node, feature.name, version, context));
  const others = sources.flatMap(({ node: from, at }, place) => (from === undefined && at === place ? [] : [place]));
  const picks = node.outputs.map((output) => {
    const at = spec.outputs.findIndex(({ name, type }) => name === output.name && sameType(type, output.type));
    if (at >= 0) return at;
    const has = spec.outputs.map(({ name, type }) => `${name} ${typeName(type)}`).join(', ');
    throw unfit(node, version, `gives ${has}, and the graph takes ${output.name} ${typeName(output.type)} of it`);
  });
  return {
    model: node.model,
    version,
    loaded,
    binding,
    sources,
    others: sources.length === context.features.size ? others : undefined,
    picks: unlessAll(picks, spec.outputs.length),
    timeoutMs: node.timeoutMs,
    before: [...new Set(sources.flatMap((one) => one.node ?? []))],
  };
}

function sourceOf(node: ModelNodeSpec, feature: string, version: number, context: Context): ValueSource {
  const from = Object.hasOwn(node.inputs, feature) ? node.inputs[feature] : undefined;
  if (from?.kind === 'node') {
    const place = placeOf(context.places, from.node);
    const outputs = graphOf(context.spec).nodes[place]?.outputs ?? [];
    return { node: place, at: outputs.findIndex(({ name }) => name === from.output) };
  }
  const name = from?.feature ?? feature;
  const at = context.features.get(name);
  if (at !== undefined) return { node: undefined, at };
  throw unfit(
    node,
    version,
    `takes feature "${feature}", which service "${context.service.name}" of the graph does not have and its inputs do not name`,
  );
}

/** Undefined for places that are all of so many, in their order. */
function unlessAll(places: readonly number[], count: number): readonly number[] | undefined {
  return places.length === count && places.every((place, at) => place === at) ? undefined : places;
}

function planInputs(inputs: readonly NodeInput[], { places, features }: Context): PlannedInput[] {
  return inputs.map((input) =>
    input.kind === 'node'
      ? { name: input.name, node: placeOf(places, input.node) }
      : // They were found in the service when the definitions were compiled.
        { name: input.name, features: input.features.map(({ name }) => features.get(name) as number) },
  );
}

function standInsOf(outputs: readonly Field[], values: readonly unknown[]): readonly Value[] {
  return outputs.map(({ type }, at) => {
    const value = parseValue(type, values[at]);
    // It was checked when the definitions were compiled.
    return value === INVALID ? null : value;
  });
}

// The definitions were compiled: a node that is named is there, before those that take from it.
function placeOf(places: ReadonlyMap<string, number>, name: string): number {
  return places.get(name) as number;
}

function placeOfOutput({ outputs }: PlannedNode, field: Field): number {
  return outputs.findIndex(({ name }) => name === field.name);
}

function unfit({ name, model }: ModelNodeSpec, version: number, sentence: string): HeadraceError {
  return new HeadraceError(
    'HR_MODEL_SIGNATURE',
    `node "${name}" does not fit: version ${version} of model "${model}" ${sentence}.`,
  );
}
