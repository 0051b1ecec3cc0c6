// A model that is made of others, as the manifest has it: nodes in an order in which each finds its inputs ready.

import type { Field } from '../core/index.ts';
import type { About, FunctionRef } from './manifest.ts';

export interface GraphSpec {
  /** Each after those that it takes from. */
  readonly nodes: readonly NodeSpec[];
  /** The node whose outputs are the model's. */
  readonly output: string;
}

export type NodeSpec = ModelNodeSpec | FunctionNodeSpec | EnsembleNodeSpec | RouterNodeSpec;

interface NodeCommon extends About {
  readonly name: string;
  readonly outputs: readonly Field[];
  /** What becomes of a row that it fails; left out: the row fails. */
  readonly onFailure?: NodeFailure;
}

/**
 * `skip`: ensembles go without it. `outputs`: these stand in, in JSON form, in the order of the node's outputs.
 */
export type NodeFailure = { readonly kind: 'skip' } | { readonly kind: 'outputs'; readonly values: readonly unknown[] };

/** Another model of the repository; a version of the graph pins a version of it. */
export interface ModelNodeSpec extends NodeCommon {
  readonly kind: 'model';
  readonly model: string;
  /** By full name of a feature of the model's service: what it gets instead of the graph's feature of that name. */
  readonly inputs: Readonly<Record<string, NodeSource>>;
  /** Of a request's rows from their coming to the node's answer; left out: until the request's deadline. */
  readonly timeoutMs?: number;
}

export type NodeSource =
  | { readonly kind: 'feature'; readonly feature: string }
  | { readonly kind: 'node'; readonly node: string; readonly output: string };

export interface FunctionNodeSpec extends NodeCommon {
  readonly kind: 'function';
  readonly inputs: readonly NodeInput[];
  readonly function: FunctionRef;
}

/** One member of the object that a node's function gets, under `name`. */
export type NodeInput =
  /** Features of the graph's service, by full name. */
  | { readonly kind: 'features'; readonly name: string; readonly features: readonly Field[] }
  /** All outputs of a node. */
  | { readonly kind: 'node'; readonly name: string; readonly node: string };

/** Its members' outputs as one: they all have the same. */
export interface EnsembleNodeSpec extends NodeCommon {
  readonly kind: 'ensemble';
  readonly members: readonly string[];
  readonly by: 'mean' | 'vote';
  /** Of the members, in their order; left out: all the same. */
  readonly weights?: readonly number[];
  /** Fewer members that answer a row fail it. */
  readonly minimum: number;
}

/** Its function names, for each row, the node that answers it: no other runs for that row. */
export interface RouterNodeSpec extends NodeCommon {
  readonly kind: 'router';
  readonly inputs: readonly NodeInput[];
  readonly function: FunctionRef;
  readonly cases: readonly { readonly name: string; readonly node: string }[];
}

/** Nodes that a node takes from, each once. */
export function nodesBefore(node: NodeSpec): readonly string[] {
  switch (node.kind) {
    case 'model':
      return unique(Object.values(node.inputs).flatMap((from) => (from.kind === 'node' ? [from.node] : [])));
    case 'ensemble':
      return unique(node.members);
    case 'function':
      return inputNodes(node.inputs);
    case 'router':
      return unique([...inputNodes(node.inputs), ...node.cases.map((one) => one.node)]);
  }
}

/** Nodes that a function's inputs are of. */
export function inputNodes(inputs: readonly NodeInput[]): readonly string[] {
  return unique(inputs.flatMap((input) => (input.kind === 'node' ? [input.node] : [])));
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
