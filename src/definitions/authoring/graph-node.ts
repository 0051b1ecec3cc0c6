// Nodes of a graph: a model that is made of others, of functions before and after, of ensembles and routers. A node names what
// it takes by reference, so a graph is declared by its last node.

import { ABOUT_OPTIONS, type AboutOptions, type AuthoredNode, type AuthoredObject } from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { ColumnType, Columns, RowOf } from './column-type.ts';
import type { Model } from './feature-service.ts';
import { type MemberShape } from './member.ts';

/** A node whose outputs other nodes take, or the model of the graph answers with. */
export interface GraphNode<O extends Columns = Columns> extends AuthoredObject<AuthoredNode>, MemberShape<O> {
  readonly name: string;
  /** One output, for a feature of a model node. */
  out(output: keyof O & string): NodeOutput;
}

/** One output of a node. */
export interface NodeOutput {
  readonly node: AuthoredObject<AuthoredNode>;
  readonly output: string;
}

/** What becomes of a row that a node fails. */
export type OnNodeFailure<O extends Columns = Columns> =
  /** The row fails, with the node's error. */
  | 'fail'
  /** Ensembles go without the node. */
  | 'skip'
  /** These stand in. */
  | { readonly outputs: { readonly [Name in keyof O]: ValueIn<O[Name]> | null } };

type ValueIn<T> = T extends ColumnType<infer V> ? V : never;

interface NodeOptions<O extends Columns> extends AboutOptions {
  /** Default: `fail`. */
  readonly onFailure?: OnNodeFailure<NoInfer<O>>;
}

const NODE_OPTIONS: OptionNames<NodeOptions<Columns>> = { ...ABOUT_OPTIONS, onFailure: true };

export interface ModelNodeOptions<O extends Columns> extends NodeOptions<O> {
  /**
   * By full name of a feature of the model's service: another feature of the graph's, by its full name, or a node's output.
   * Features that are not named here come from the graph's service under the same name.
   */
  readonly inputs?: Readonly<Record<string, string | NodeOutput>>;
  /** From a row's coming to the node to its answer, in milliseconds; never past the request's deadline. */
  readonly timeoutMs?: number;
}

const MODEL_NODE: OptionNames<ModelNodeOptions<Columns>> = { ...NODE_OPTIONS, inputs: true, timeoutMs: true };

/**
 * Another model of the repository as a node.
 *
 * @example
 * modelNode('slow', slowModel, { timeoutMs: 20, onFailure: 'skip' });
 */
export function modelNode<O extends Columns>(
  name: string,
  of: Model<string, unknown, O>,
  options: ModelNodeOptions<O> = {},
): GraphNode<O> {
  return graphNode('model', name, noteCall(options, MODEL_NODE, [2]), of, options);
}

/** Features of the graph's service by full name, with their types; or a node, for all of its outputs. */
export type NodeInputs = Readonly<Record<string, Columns | GraphNode>>;

/** What a node's function gets: a row for each input, every value possibly null. */
export type NodeValues<I> = {
  readonly [Name in keyof I]: RowOf<I[Name] extends MemberShape<infer O, infer _> & AuthoredObject ? O : I[Name]>;
};

// As for on-demand views: not never, or the message would blame every output.
type Undeclared<R, O> = { readonly [Name in Exclude<keyof R, keyof O>]: NotDeclaredInOutputs<Name> };

/** Marks, in the compiler's message, an output that the function returns and `outputs` does not declare. */
interface NotDeclaredInOutputs<Name> {
  readonly notDeclared: Name;
}

export interface FunctionNodeOptions<I, O extends Columns, R> extends NodeOptions<O> {
  readonly inputs: I;
  readonly outputs: O;
  /** Pure, synchronous, one row at a time. */
  readonly run: (inputs: NodeValues<I>) => R & Undeclared<R, NoInfer<O>>;
}

const FUNCTION_NODE: OptionNames<FunctionNodeOptions<unknown, Columns, unknown>> = {
  ...NODE_OPTIONS,
  inputs: true,
  outputs: true,
  run: true,
};

/**
 * A function of features and of other nodes' outputs.
 *
 * @example
 * functionNode('calibrated', {
 *   inputs: { slow, features: { departure__hour: t.int32() } },
 *   outputs: { probability: t.float32() },
 *   run: ({ slow }) => ({ probability: slow.probability === null ? null : slow.probability * 0.9 }),
 * });
 */
export function functionNode<I extends NodeInputs, O extends Columns, R extends RowOf<O>>(
  name: string,
  options: FunctionNodeOptions<I, O, R>,
): GraphNode<O> {
  return graphNode('function', name, noteCall(options, FUNCTION_NODE), undefined, options);
}

export interface EnsembleNodeOptions<O extends Columns> extends NodeOptions<O> {
  /**
   * `mean`: of each number, by the weights; `vote`: of each value, the one with most weight, the first member's where several
   * have as much.
   */
  readonly by: 'mean' | 'vote';
  /** Positive, one for each member, in their order. Default: all the same. */
  readonly weights?: readonly number[];
  /** Fewer members that answer a row fail it. Default: 1. */
  readonly minimum?: number;
}

const ENSEMBLE_NODE: OptionNames<EnsembleNodeOptions<Columns>> = {
  ...NODE_OPTIONS,
  by: true,
  weights: true,
  minimum: true,
};

/**
 * Several nodes' answers as one; they all have the same outputs.
 *
 * @example
 * ensembleNode('blended', [slow, fast], { by: 'mean', weights: [0.7, 0.3] });
 */
export function ensembleNode<O extends Columns>(
  name: string,
  members: readonly GraphNode<O>[],
  options: EnsembleNodeOptions<O>,
): GraphNode<O> {
  return graphNode('ensemble', name, noteCall(options, ENSEMBLE_NODE, [2]), members, options);
}

export interface RouterNodeOptions<I, O extends Columns, Case extends string> extends NodeOptions<O> {
  readonly inputs: I;
  /** By name; they all have the same outputs. */
  readonly cases: Readonly<Record<Case, GraphNode<O>>>;
  /** Pure, synchronous, one row at a time: the name of the case that answers the row. */
  readonly choose: (inputs: NodeValues<I>) => NoInfer<Case>;
}

const ROUTER_NODE: OptionNames<RouterNodeOptions<unknown, Columns, string>> = {
  ...NODE_OPTIONS,
  inputs: true,
  cases: true,
  choose: true,
};

/**
 * A function that says, for each row, which node answers it: no other runs for that row.
 *
 * @example
 * routerNode('by_distance', {
 *   inputs: { features: { trip__distance: t.float32() } },
 *   cases: { short: shortHaul, long: longHaul },
 *   choose: ({ features }) => ((features.trip__distance ?? 0) < 800 ? 'short' : 'long'),
 * });
 */
export function routerNode<I extends NodeInputs, O extends Columns, Case extends string>(
  name: string,
  options: RouterNodeOptions<I, O, Case>,
): GraphNode<O> {
  return graphNode('router', name, noteCall(options, ROUTER_NODE), undefined, options);
}

function graphNode<O extends Columns>(
  nodeKind: AuthoredNode['nodeKind'],
  name: string,
  call: AuthoredNode['call'],
  of: unknown,
  given: NodeOptions<O>,
): GraphNode<O> {
  const { description, owner, tags, ...options } = optionsOf<AboutOptions & AuthoredNode['options']>(given);
  const about: AboutOptions = {
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { owner }),
    ...(tags === undefined ? {} : { tags }),
  };
  const node: AuthoredObject<AuthoredNode> = {
    [AUTHORED]: { kind: 'node', nodeKind, name, call, of, options, about },
  };
  return { ...node, name, out: (output) => ({ node, output }) };
}
