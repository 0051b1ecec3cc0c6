// Feature services: the features one model takes, in order. Models and endpoints, which serve them.

import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AuthoredEndpoint,
  type AuthoredModel,
  type AuthoredObject,
  type AuthoredOnDemandMember,
  type AuthoredOnDemandView,
  type AuthoredService,
  type AuthoredView,
  type AuthoredViewMember,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Columns } from './column-type.ts';
import type { GraphNode } from './graph-node.ts';
import type { MemberShape, RequestOf } from './member.ts';
import type { RequestCondition } from './request-condition.ts';

declare const requestColumn: unique symbol;
declare const outputColumns: unique symbol;

/** Something a service can list. */
export type ServiceInput = AuthoredObject<
  AuthoredView | AuthoredViewMember | AuthoredOnDemandView | AuthoredOnDemandMember
> &
  MemberShape;

/** A list of features. `Q` names the columns that a request must carry. */
export interface FeatureService<Q extends string = string> extends AuthoredObject<AuthoredService> {
  readonly name: string;
  readonly [requestColumn]?: Q;
}

/**
 * Declares a feature service: views, views in roles, picked features, on-demand views. A feature's full name is
 * `<view or role>__<feature>`.
 */
export function featureService<const M extends readonly ServiceInput[]>(
  name: string,
  members: M,
  about: AboutOptions = {},
): FeatureService<keyof UnionToColumns<M[number]> & string> {
  const call = noteCall(about, ABOUT_OPTIONS, [2]);
  return { name, [AUTHORED]: { kind: 'service', name, call, members, about: optionsOf(about) } };
}

// Names of all members' request columns, as keys.
type UnionToColumns<M> = { readonly [Name in M extends unknown ? keyof RequestOf<M> : never]: unknown };

/** A model: the service it takes and the outputs it gives. Its versions are registered from ONNX files. */
export interface Model<Q extends string = string, O extends Columns = Columns> extends AuthoredObject<AuthoredModel> {
  readonly name: string;
  readonly [requestColumn]?: Q;
  readonly [outputColumns]?: O;
}

export interface ModelOptions<Q extends string, O extends Columns = Columns> extends AboutOptions {
  readonly features: FeatureService<Q>;
  /** Named outputs; a classifier's probability is `{ probability: t.float32() }`. */
  readonly outputs: O;
  /**
   * The node that answers, of a model that is made of others: its outputs are the model's. Versions of such a model pin a
   * version of each model in it: `headrace models register NAME --graph`.
   */
  readonly graph?: GraphNode<O>;
  /** ONNX execution providers in order of preference. Default: `['cpu']`. */
  readonly providers?: readonly string[];
}

const MODEL_OPTIONS: OptionNames<ModelOptions<string>> = {
  ...ABOUT_OPTIONS,
  features: true,
  outputs: true,
  graph: true,
  providers: true,
};

export function model<Q extends string, O extends Columns>(name: string, options: ModelOptions<Q, O>): Model<Q, O> {
  const call = noteCall(options, MODEL_OPTIONS);
  const { features, outputs, graph, providers, ...about } = optionsOf(options);
  return {
    name,
    [AUTHORED]: { kind: 'model', name, call, features, outputs, graph, providers: providers ?? ['cpu'], about },
  };
}

/** An address that serves a model; its traffic is split between versions. */
export interface Endpoint<Q extends string = string> extends AuthoredObject<AuthoredEndpoint> {
  readonly name: string;
  readonly [requestColumn]?: Q;
}

export interface EndpointOptions<Q extends string> extends AboutOptions {
  readonly model: Model<Q>;
  /** Request columns whose values stick to one variant. Default: none, and each request is assigned by its id. */
  readonly unit?: readonly NoInfer<Q>[];
  /** Asked in order, before all else: the first whose condition holds gives its variant, whatever the unit. */
  readonly rules?: readonly { readonly when: RequestCondition<NoInfer<Q>>; readonly variant: string }[];
  /**
   * A percentage of units that no experiment and no rollout touches: they get the base. Endpoints that name one holdout keep the
   * same units.
   */
  readonly holdout?: { readonly name: string; readonly percent: number };
  /** What a prediction does while the online store is down. Default: `fail`. */
  readonly whenStoreDown?: 'fail' | 'defaults';
}

const ENDPOINT_OPTIONS: OptionNames<EndpointOptions<string>> = {
  ...ABOUT_OPTIONS,
  model: true,
  unit: true,
  rules: true,
  holdout: true,
  whenStoreDown: true,
};

export function endpoint<Q extends string>(name: string, options: EndpointOptions<Q>): Endpoint<Q> {
  const call = noteCall(options, ENDPOINT_OPTIONS);
  const { model: served, unit, rules, holdout, whenStoreDown, ...about } = optionsOf(options);
  return {
    name,
    [AUTHORED]: {
      kind: 'endpoint',
      name,
      call,
      model: served,
      unit: unit ?? [],
      rules,
      holdout,
      whenStoreDown: whenStoreDown ?? 'fail',
      about,
    },
  };
}
