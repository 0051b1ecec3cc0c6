// A graph compiled for running: nodes by their places, what each takes from features and from nodes before it, as places too.

import type { Field, Value } from '../../core/index.ts';
import type { RowModel } from '../each-row.ts';
import type { LoadedModel } from '../model-runtime.ts';
import type { Combine } from './combine.ts';

export interface GraphPlan {
  /** Each after those that it takes from. */
  readonly nodes: readonly PlannedNode[];
  /** Place of the node that answers. */
  readonly output: number;
  /** Of the model's outputs: places among that node's; undefined where they are the same in the same order. */
  readonly outputs: readonly number[] | undefined;
}

export type PlannedNode = PlannedModel | PlannedFunction | PlannedEnsemble | PlannedRouter;

interface PlannedCommon {
  readonly place: number;
  readonly name: string;
  readonly outputs: readonly Field[];
  /** Stand in for a row that it fails; undefined where the failure goes on to what takes from it. */
  readonly standIns: readonly Value[] | undefined;
  /** Ensembles go without it. */
  readonly isSkipped: boolean;
}

export interface PlannedModel extends PlannedCommon, RowModel {
  readonly kind: 'model';
  readonly loaded: LoadedModel;
  readonly model: string;
  readonly version: number;
  /** Of each of its features. */
  readonly sources: readonly ValueSource[];
  /**
   * Places of its features that are no feature of the graph at the same place; undefined where it has another number of
   * them, so that nothing is as it came. Most come as they are, and need not be looked at one by one.
   */
  readonly others: readonly number[] | undefined;
  /** Of its node's outputs: places among the declared outputs of the version; undefined where they are the same. */
  readonly picks: readonly number[] | undefined;
  /** Undefined: the request's deadline. */
  readonly timeoutMs: number | undefined;
  /** Nodes whose outputs it takes. */
  readonly before: readonly number[];
}

/** `node` is undefined for a feature. */
export interface ValueSource {
  readonly node: number | undefined;
  readonly at: number;
}

export interface PlannedFunction extends PlannedCommon {
  readonly kind: 'function';
  readonly inputs: readonly PlannedInput[];
  readonly before: readonly number[];
  readonly run: (inputs: Readonly<Record<string, readonly Value[]>>) => readonly Value[];
}

/** Places of features, or a node for all that it gives. */
export type PlannedInput =
  | { readonly name: string; readonly features: readonly number[]; readonly node?: undefined }
  | { readonly name: string; readonly node: number };

export interface PlannedEnsemble extends PlannedCommon {
  readonly kind: 'ensemble';
  readonly before: readonly number[];
  readonly minimum: number;
  readonly combine: Combine;
}

export interface PlannedRouter extends PlannedCommon {
  readonly kind: 'router';
  readonly inputs: readonly PlannedInput[];
  /** Those that its function takes from; cases run once it has chosen them. */
  readonly before: readonly number[];
  /** Node of each case. */
  readonly cases: readonly number[];
  readonly choose: (inputs: Readonly<Record<string, readonly Value[]>>) => number;
}
