// Models that are made of others: each graph's nodes, found by what its last node takes, in an order in which each finds its
// inputs ready. What a node is to be is compiled in compile-node.ts.

import { sameType, typeName } from '../../core/index.ts';
import { authored, type AuthoredModel, type AuthoredNode } from '../authoring/authored.ts';
import { type GraphSpec, nodesBefore, type NodeSpec } from '../graph-spec.ts';
import type { Manifest, ModelSpec } from '../manifest.ts';
import { own } from '../own.ts';
import { resolveService } from '../resolve-service.ts';
import { expectKind, leadsTo } from './collect.ts';
import { compileNode, type NodeContext, optionsPlace } from './compile-node.ts';
import type { FunctionTable } from './function-table.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

/** The definitions that are sound so far. */
export type SoundParts = Omit<Manifest, 'endpoints'>;

/** The models, those that have a graph with it. `nodes`: all that the repository has. */
export function compileGraphs(
  models: readonly AuthoredModel[],
  nodes: readonly AuthoredNode[],
  parts: SoundParts,
  functions: FunctionTable,
  mistakes: Mistakes,
): Readonly<Record<string, ModelSpec>> {
  const used = new Set<AuthoredNode>();
  const compiled = models.map((model): [string, ModelSpec] => {
    const spec = own(parts.models, model.name) as ModelSpec;
    if (model.graph === undefined) return [model.name, spec];
    const graph = compileGraph(model, spec, { parts, functions, mistakes, used });
    return [model.name, graph === undefined ? spec : { ...spec, graph }];
  });
  for (const node of nodes) {
    if (!used.has(node))
      mistakes.add(
        node,
        'it is in no graph: give it to a model as `graph`, to a node that is in one, or take it out',
        [0],
      );
  }
  return Object.fromEntries(compiled);
}

interface Given {
  readonly parts: SoundParts;
  readonly functions: FunctionTable;
  readonly mistakes: Mistakes;
  readonly used: Set<AuthoredNode>;
}

function compileGraph(
  model: AuthoredModel,
  spec: ModelSpec,
  { parts, functions, mistakes, used }: Given,
): GraphSpec | undefined {
  const last = expectKind(model.graph, 'node', model, 'graph', [1, 'graph'], mistakes);
  if (last === undefined) return undefined;
  const { features } = resolveService({ ...parts, endpoints: {} }, spec.service);
  const context: NodeContext = {
    service: spec.service,
    features: new Map(features.map((feature) => [feature.name, feature])),
    nodes: new Map(),
    parts,
    functions,
    mistakes,
  };
  const open: AuthoredNode[] = [];
  const visit = (node: AuthoredNode): void => {
    if (context.nodes.has(node)) return;
    if (open.includes(node)) {
      const circle = [...open.slice(open.indexOf(node)), node].map(({ name }) => name).join(' → ');
      return mistakes.add(
        node,
        `it needs itself: ${circle}. Break the cycle: take one of them out of another's inputs`,
      );
    }
    used.add(node);
    open.push(node);
    for (const next of leadsTo(node)) {
      const before = authored(next);
      if (before?.kind === 'node') visit(before);
    }
    open.pop();
    context.nodes.set(node, compileNode(node, context));
  };
  visit(last);
  const specs = [...context.nodes.values()];
  checkSkips([...context.nodes], specs, last, mistakes);
  checkOutputs(model, spec, context.nodes.get(last), mistakes);
  return { nodes: specs, output: last.name };
}

/** Nothing but an ensemble can go without one of its nodes. */
function checkSkips(
  nodes: readonly (readonly [AuthoredNode, NodeSpec])[],
  specs: readonly NodeSpec[],
  last: AuthoredNode,
  mistakes: Mistakes,
): void {
  for (const [node, spec] of nodes) {
    if (spec.onFailure?.kind !== 'skip') continue;
    const users = specs.filter((one) => one.kind !== 'ensemble' && nodesBefore(one).includes(spec.name));
    const user = node === last ? 'the model answers by it' : users[0] && `node "${users[0].name}" takes from it`;
    if (user !== undefined)
      mistakes.add(
        node,
        `onFailure is 'skip', which is for members of ensembles alone, and ${user}. Give outputs that stand in, or let the row fail`,
        [optionsPlace(node), 'onFailure'],
      );
  }
}

function checkOutputs(
  model: AuthoredModel,
  { outputs }: ModelSpec,
  last: NodeSpec | undefined,
  mistakes: Mistakes,
): void {
  // One without outputs was told.
  if (last === undefined || last.outputs.length === 0) return;
  for (const { name, type } of outputs) {
    const given = last.outputs.find((one) => one.name === name);
    const at = [1, 'outputs', name];
    if (given === undefined) {
      const has = last.outputs.map((one) => `${one.name} ${typeName(one.type)}`).join(', ');
      mistakes.add(model, `output ${showName(name)} is none of node "${last.name}", which has ${has}`, at);
    } else if (!sameType(given.type, type))
      mistakes.add(
        model,
        `output ${showName(name)} is ${typeName(type)}, node "${last.name}" gives ${typeName(given.type)}. Declare it as the node has it`,
        at,
      );
  }
}
